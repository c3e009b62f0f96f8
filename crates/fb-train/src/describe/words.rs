//! Words that summaries and diagrams share.

use fb_nn::feedback::network::{EdgeDescription, ExecutionPath};
use fb_nn::feedback::topology::{Clock, Combine, Initial};

/// How often a layer runs.
pub(super) fn runs(path: ExecutionPath) -> &'static str {
    match path {
        ExecutionPath::Once => "once",
        ExecutionPath::EveryIteration => "each iteration",
        ExecutionPath::EveryIterationHoisted => "each iteration, x·W once",
        ExecutionPath::WantedIterations => "each answer",
        ExecutionPath::AllSteps => "all steps at once",
        ExecutionPath::EveryStep => "each step",
        ExecutionPath::EveryStepHoisted => "each step, x·W once",
        ExecutionPath::EveryIterationOfEveryStep => "each iteration of each step",
        _ => "",
    }
}

/// Everything about an edge but its ends: `add, learned 1 -> 8, delay 1, from zeros`.
pub(super) fn edge(edge: &EdgeDescription) -> String {
    // A gated edge adds too; its map says that it is gated, as that of others what they do.
    let joins = match edge.combine {
        Combine::Add | Combine::Gate => "add",
        other => kind(other),
    };
    if edge.delay == 0 && edge.is_forward {
        return format!("{joins}, {}, forward", edge.map);
    }
    let start = match edge.initial {
        Initial::Zeros => "from zeros",
        Initial::Learned => "from a learned value",
        Initial::Constant(_) => "from a constant",
        Initial::Noise(_) => "from noise",
        Initial::FirstSweep => "from a first sweep",
        _ => "from its own start",
    };
    let delay = match (edge.delay, edge.clock) {
        (0, _) => "no delay".to_owned(),
        (n, Clock::Step) => format!("delay {n} step{}", if n == 1 { "" } else { "s" }),
        (n, _) => format!("delay {n}"),
    };
    format!("{joins}, {}, {delay}, {start}", edge.map)
}

fn kind(combine: Combine) -> &'static str {
    match combine {
        Combine::Add => "add",
        Combine::Concat => "concat",
        Combine::Gate => "gate",
        Combine::Multiply => "multiply",
        Combine::Film => "film",
        _ => "",
    }
}

/// The mark of an edge in a diagram: `z⁻¹ add` for a delay of one iteration, `t⁻¹ add` for one step of a sequence, and how it samples up or down between maps of different size.
pub(super) fn mark(edge: &EdgeDescription) -> String {
    let joins = kind(edge.combine);
    let delay = match (edge.delay, edge.clock) {
        (0, _) => String::new(),
        (n, Clock::Step) => format!("t⁻{} ", raised(n)),
        (n, _) => format!("z⁻{} ", raised(n)),
    };
    let mut mark = format!("{delay}{joins}").trim_end().to_owned();
    if !edge.sampling.is_empty() {
        mark += ", ";
        mark += &edge.sampling;
    }
    mark
}

fn raised(number: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    number
        .to_string()
        .bytes()
        .map(|digit| DIGITS[usize::from(digit - b'0')])
        .collect()
}

/// How often a scope runs in each iteration.
pub(super) fn cycles(count: usize) -> String {
    match count {
        1 => "1 cycle".to_owned(),
        count => format!("{count} cycles"),
    }
}

/// How many parameters, in words.
pub(super) fn parameters(all: usize, trainable: usize) -> String {
    let count = match all {
        0 => return "no parameters".to_owned(),
        1 => "1 parameter".to_owned(),
        all => format!("{all} parameters"),
    };
    match trainable {
        0 => format!("{count}, frozen"),
        some if some < all => format!("{count}, {} frozen", all - some),
        _ => count,
    }
}

/// A name on one line: control characters are written as escapes.
pub(super) fn on_one_line(name: &str) -> String {
    let mut shown = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Longer names are cut in tables, where each would make every row as wide as itself.
const NAME: usize = 40;

/// A name on one line of at most 40 characters, for a table.
pub(super) fn short(name: &str) -> String {
    let shown = on_one_line(name);
    if shown.chars().count() <= NAME {
        return shown;
    }
    shown.chars().take(NAME - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut() {
        let whole = "é".repeat(NAME);
        assert_eq!(short(&whole), whole);
        assert_eq!(short(&"é".repeat(300)), "é".repeat(NAME - 1) + "…");
    }

    #[test]
    fn delays_are_raised() {
        assert_eq!(raised(1), "¹");
        assert_eq!(raised(2048), "²⁰⁴⁸");
    }

    #[test]
    fn counts_say_what_is_frozen() {
        assert_eq!(parameters(0, 0), "no parameters");
        assert_eq!(parameters(1, 1), "1 parameter");
        assert_eq!(parameters(8, 0), "8 parameters, frozen");
        assert_eq!(parameters(9, 8), "9 parameters, 1 frozen");
    }

    #[test]
    fn a_name_stays_on_its_line() {
        assert_eq!(on_one_line("a\nb\t\u{7}é \"层\""), "a\\nb\\t\\u{7}é \"层\"");
    }
}
