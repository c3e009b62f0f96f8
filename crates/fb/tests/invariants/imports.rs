//! The order inside `fb-nn`: rooms that do not know each other, and a loop that does not know its gradient.

use std::collections::BTreeMap;

use super::paths::{module_of, relative_imports, rooted};
use super::rust::{code, tokens, without_tests};
use super::tree::{Finding, Tree};

pub(crate) const SOURCE: &str = "crates/fb-nn/src/";
pub(crate) const ROOMS: [&str; 4] = ["layers", "loss", "optim", "feedback"];
const FLOOR: [&str; 8] = [
    "module",
    "cell",
    "state",
    "param",
    "parametrization",
    "init",
    "spectrum",
    "state_dict",
];
/// Stand on the rooms: none of them, and nothing of the floor, names these.
pub(crate) const UPPER: [&str; 1] = ["classic"];
/// Inside `feedback` each names only those before it.
const STAIRS: [&str; 6] = [
    "solver", "schedule", "topology", "state", "gradient", "network",
];

/// What a module's own file hands on under a shorter name: `Dense` of `pub use layers::Dense` is `[layers, Dense]`.
fn handed_on(tree: &Tree, candidates: &[String]) -> BTreeMap<String, Vec<String>> {
    let Some(path) = candidates.iter().find(|path| tree.text(path).is_some()) else {
        return BTreeMap::new();
    };
    let module = module_of(&path[SOURCE.len()..]);
    let code = code(tree.text(path).unwrap_or_default());
    relative_imports(&module, &tokens(&code))
        .into_iter()
        .map(|named| (named.name, named.path))
        .collect()
}

/// Every path named outside tests: file, its module, line, the path with what is handed on resolved.
fn named_paths(tree: &Tree) -> Vec<(String, Vec<String>, usize, Vec<String>)> {
    let by_root = handed_on(tree, &[format!("{SOURCE}lib.rs")]);
    let by_feedback = handed_on(
        tree,
        &[
            format!("{SOURCE}feedback/mod.rs"),
            format!("{SOURCE}feedback.rs"),
        ],
    );
    let resolve = |path: Vec<String>| {
        let path = path
            .first()
            .and_then(|first| by_root.get(first))
            .cloned()
            .unwrap_or(path);
        let within = (path.first().is_some_and(|room| room == "feedback"))
            .then(|| path.get(1))
            .flatten();
        within
            .and_then(|name| by_feedback.get(name))
            .cloned()
            .unwrap_or(path)
    };
    let mut found = Vec::new();
    for (path, text) in tree
        .ending(".rs")
        .filter(|(path, _)| path.starts_with(SOURCE))
    {
        let module = module_of(&path[SOURCE.len()..]);
        if module.iter().any(|part| part == "tests") {
            continue;
        }
        let code = code(text);
        for named in rooted(&module, &without_tests(&tokens(&code))) {
            found.push((
                path.to_owned(),
                module.clone(),
                named.line,
                resolve(named.path),
            ));
        }
    }
    found
}

/// `layers`, `loss`, `optim` and `feedback` stand on the floor; they do not name each other, and the floor names none. What
/// stands on them may name them all, and none of them names it.
pub(crate) fn rooms_apart(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, module, line, named) in named_paths(tree) {
        let (Some(here), Some(there)) = (module.first(), named.first()) else {
            continue;
        };
        let (here, there) = (here.as_str(), there.as_str());
        if (ROOMS.contains(&there) || UPPER.contains(&there))
            && here != there
            && (ROOMS.contains(&here) || FLOOR.contains(&here))
        {
            findings.push(Finding::new(
                &path,
                line,
                format!("`{here}` must not name `{}`", named.join("::")),
            ));
        }
    }
    findings
}

/// Solver, schedule, gradient strategy, network: each names only what stands before it.
pub(crate) fn feedback_order(tree: &Tree) -> Vec<Finding> {
    let step = |path: &[String]| {
        let inside = path
            .first()
            .is_some_and(|room| room == "feedback")
            .then(|| path.get(1))
            .flatten()?;
        STAIRS.iter().position(|stair| stair == inside)
    };
    let mut findings = Vec::new();
    for (path, module, line, named) in named_paths(tree) {
        if let (Some(here), Some(there)) = (step(&module), step(&named))
            && here < there
        {
            let order = STAIRS.join(", ");
            let rule = format!(
                "`feedback::{}` must not name `{}` (order: {order})",
                STAIRS[here],
                named.join("::")
            );
            findings.push(Finding::new(&path, line, rule));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{Finding, Tree, feedback_order, rooms_apart};

    fn lines(findings: &[Finding]) -> Vec<(&str, usize)> {
        findings
            .iter()
            .map(|f| (f.path.trim_start_matches(super::SOURCE), f.line))
            .collect()
    }

    #[test]
    fn rooms_that_name_each_other_are_found() {
        let tree = Tree::of(&[
            (
                "crates/fb-nn/src/lib.rs",
                "mod layers;\npub use layers::{Dense, dropout::Dropout as Drop};",
            ),
            (
                "crates/fb-nn/src/loss/mse.rs",
                "/// As [`crate::layers::Dense`].\nuse crate::param::Param;\nuse super::Loss;",
            ),
            (
                "crates/fb-nn/src/loss/bce.rs",
                "use crate::{\n  param::Param,\n  layers::Dense,\n};",
            ),
            (
                "crates/fb-nn/src/optim/adam.rs",
                "use crate::Drop;\nfn f() { super::super::feedback::f() }",
            ),
            (
                "crates/fb-nn/src/feedback/mod.rs",
                "#[cfg(test)]\nmod t {\n use crate::layers::Dense;\n}",
            ),
            (
                "crates/fb-nn/src/feedback/tests.rs",
                "use crate::layers::Dense;",
            ),
            ("crates/fb-nn/src/param.rs", "use crate::optim::Adam;"),
            (
                "crates/fb-nn/src/classic/hopfield.rs",
                "use crate::{feedback::Graph, layers::Dense};",
            ),
            (
                "crates/fb-nn/src/feedback/network.rs",
                "\nuse crate::classic::Hopfield;",
            ),
            ("crates/fb-nn/src/registry.rs", "use crate::layers::Dense;"),
        ]);
        let findings = rooms_apart(&tree);
        let expected = [
            ("feedback/network.rs", 2),
            ("loss/bce.rs", 3),
            ("optim/adam.rs", 1),
            ("optim/adam.rs", 2),
            ("param.rs", 1),
        ];
        assert_eq!(lines(&findings), expected);
    }

    #[test]
    fn a_loop_that_imports_its_gradient_is_found() {
        let tree = Tree::of(&[
            ("crates/fb-nn/src/lib.rs", "pub use feedback::Bptt;"),
            (
                "crates/fb-nn/src/feedback/mod.rs",
                "pub use gradient::Bptt;\npub use schedule::Unroll;",
            ),
            (
                "crates/fb-nn/src/feedback/schedule/unroll.rs",
                "use crate::feedback::Bptt;\nuse crate::feedback::solver::S;",
            ),
            (
                "crates/fb-nn/src/feedback/solver.rs",
                "use super::Unroll;\nuse crate::Bptt;",
            ),
            (
                "crates/fb-nn/src/feedback/network.rs",
                "use super::{gradient::Bptt, schedule, solver};",
            ),
        ]);
        let findings = feedback_order(&tree);
        let expected = [
            ("feedback/schedule/unroll.rs", 1),
            ("feedback/solver.rs", 1),
            ("feedback/solver.rs", 2),
        ];
        assert_eq!(lines(&findings), expected);
    }
}
