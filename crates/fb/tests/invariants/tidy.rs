//! Nothing unfinished, nothing of one machine, no file that the compiler never sees.

use super::rust::{Token, code, starts, tokens};
use super::tree::{Finding, Tree};

/// The words are put together here, so that this file does not break its own rule.
const MARKS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];
const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];
const MACHINE: [&str; 4] = [
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "home/"),
    concat!("/", "tmp/fbwork"),
];

/// No stub macro, no test that is switched off, no mark for later.
pub(crate) fn unfinished(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let code = code(text);
        let tokens = tokens(&code);
        for window in tokens.windows(3) {
            let is_macro = |name: &&&str| starts(window, &[**name, "!"]);
            if let Some(name) = MACROS.iter().find(is_macro) {
                findings.push(Finding::new(
                    path,
                    window[0].line,
                    format!("{name}! must not stay"),
                ));
            }
            if starts(window, &["#", "[", "ignore"]) {
                findings.push(Finding::new(
                    path,
                    window[0].line,
                    "a test must not be ignored",
                ));
            }
        }
    }
    for (path, text) in tree.texts() {
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if let Some(mark) = words.find(|word| MARKS.contains(word)) {
                findings.push(Finding::new(
                    path,
                    number + 1,
                    format!("{mark} must not stay: do it or file an issue"),
                ));
            }
        }
    }
    findings
}

/// No absolute path of the machine that somebody worked on.
pub(crate) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        for (number, line) in text.lines().enumerate() {
            let begins_path = |at: usize| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || "_./-".contains(c))
            };
            for needle in MACHINE {
                if line.match_indices(needle).any(|(at, _)| begins_path(at)) {
                    findings.push(Finding::new(
                        path,
                        number + 1,
                        format!("a path of one machine: {needle}"),
                    ));
                }
            }
        }
    }
    findings
}

/// Each source file is declared by the file above it; the compiler passes over those that are not.
pub(crate) fn orphans(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _) in tree
        .ending(".rs")
        .filter(|(path, _)| path.starts_with("crates/") && path.contains("/src/"))
    {
        let Some((parents, module)) = declared_in(path) else {
            continue;
        };
        let parent = parents.iter().find(|parent| tree.has(parent));
        let declared = parent
            .and_then(|parent| tree.text(parent))
            .is_some_and(|text| declares(text, &module));
        if !declared {
            let place = parent.unwrap_or(&parents[0]);
            findings.push(Finding::new(
                path,
                1,
                format!("not part of any crate: {place} has no `mod {module}`"),
            ));
        }
    }
    findings
}

/// The files that may declare this one, and the name it has there. Crate roots are declared by nobody.
fn declared_in(path: &str) -> Option<(Vec<String>, String)> {
    let (folder, file) = path.rsplit_once('/')?;
    if path.contains("/src/bin/")
        || (folder.ends_with("/src") && matches!(file, "lib.rs" | "main.rs"))
    {
        return None;
    }
    let (folder, module) = match file {
        "mod.rs" => folder.rsplit_once('/')?,
        _ => (folder, file.trim_end_matches(".rs")),
    };
    let parents = match folder.strip_suffix("/src") {
        Some(_) => vec![format!("{folder}/lib.rs"), format!("{folder}/main.rs")],
        None => vec![format!("{folder}/mod.rs"), format!("{folder}.rs")],
    };
    Some((parents, module.to_owned()))
}

fn declares(text: &str, module: &str) -> bool {
    let code = code(text);
    let declaration = |window: &[Token<'_>]| starts(window, &["mod", module, ";"]);
    tokens(&code).windows(3).any(declaration)
}

#[cfg(test)]
mod tests {
    use super::{Finding, MACHINE, MARKS, Tree, machine_paths, orphans, unfinished};

    fn places(findings: &[Finding]) -> Vec<(&str, usize)> {
        findings.iter().map(|f| (f.path.as_str(), f.line)).collect()
    }

    #[test]
    fn stubs_marks_and_ignored_tests_are_found() {
        let stub = format!("{}!()", "todo");
        let source = format!(
            "// {stub}\nfn f() {{\n    {stub}\n}}\n#[{} = \"slow\"]\nfn g() {{}}",
            "ignore"
        );
        let note = format!("a line\nand a {}: later", MARKS[0]);
        let tree = Tree::of(&[("a.rs", &source), ("b.md", &note), ("c.md", "a todo list")]);
        assert_eq!(
            places(&unfinished(&tree)),
            [("a.rs", 3), ("a.rs", 5), ("b.md", 2)]
        );
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let text = format!("frame{0}x\nsee {0}main", MACHINE[0]);
        let tree = Tree::of(&[("a.md", &text)]);
        assert_eq!(places(&machine_paths(&tree)), [("a.md", 2)]);
    }

    #[test]
    fn a_file_that_nobody_declares_is_found() {
        let tree = Tree::of(&[
            (
                "crates/a/src/lib.rs",
                "mod layers;\n// mod ghost;\nmod single;",
            ),
            ("crates/a/src/ghost.rs", ""),
            ("crates/a/src/single.rs", "pub(crate) mod child;"),
            ("crates/a/src/single/child.rs", ""),
            ("crates/a/src/layers/mod.rs", "mod dense;"),
            ("crates/a/src/layers/dense.rs", ""),
            ("crates/a/src/layers/lost.rs", ""),
            ("crates/a/src/bin/tool.rs", ""),
        ]);
        let expected = [
            ("crates/a/src/ghost.rs", 1),
            ("crates/a/src/layers/lost.rs", 1),
        ];
        assert_eq!(places(&orphans(&tree)), expected);
    }
}
