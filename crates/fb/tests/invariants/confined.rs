//! What may stand in a few places only: `unsafe`, bincode, rayon.

use super::rust::{Token, code, starts, tokens};
use super::tree::{Finding, Tree};

pub(crate) const UNSAFE_HOMES: [&str; 2] = [
    "crates/fb-tensor/src/kernels",
    "crates/fb-tensor/src/storage",
];
const RAYON_HOMES: [&str; 6] = [
    "crates/fb-tensor/src/kernels",
    "crates/fb-tensor/src/parallel",
    "crates/fb-tensor/src/threads",
    "crates/fb-tensor/src/storage",
    "crates/fb-data/src/loader",
    "benches/",
];

/// Every library and program but `fb-tensor` begins with `#![forbid(unsafe_code)]`, and `fb-tensor` with `deny`, which its
/// kernels may lift.
pub(crate) fn forbid_attribute(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs").filter(|(path, _)| is_crate_root(path)) {
        let level = if path.starts_with("crates/fb-tensor/") {
            "deny"
        } else {
            "forbid"
        };
        let code = code(text);
        let attribute = ["#", "!", "[", level, "(", "unsafe_code", ")", "]"];
        if !tokens(&code)
            .windows(attribute.len())
            .any(|window| starts(window, &attribute))
        {
            findings.push(Finding::new(
                path,
                1,
                format!("a crate root must have #![{level}(unsafe_code)]"),
            ));
        }
    }
    findings
}

/// Libraries and the programs beside them; an example is a page to read and `unsafe_code` sees it all the same.
fn is_crate_root(path: &str) -> bool {
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || path.contains("/src/bin/")
}

/// The keyword stands in kernels and storage alone. A test that counts allocations has no way around it either.
pub(crate) fn unsafe_code(tree: &Tree) -> Vec<Finding> {
    let counts_allocations =
        |path: &str, text: &str| path.contains("/tests/") && text.contains("GlobalAlloc");
    let allowed =
        |path: &str, text: &str| in_home(path, &UNSAFE_HOMES) || counts_allocations(path, text);
    named_outside(
        tree,
        "unsafe",
        allowed,
        "`unsafe` belongs in fb-tensor's kernels and storage",
    )
}

/// One file writes and reads bincode, so that leaving it is one file's work.
pub(crate) fn wire_format(tree: &Tree) -> Vec<Finding> {
    let findings = named_outside(
        tree,
        "bincode",
        |_, _| false,
        "only one file may name bincode",
    );
    let mut files: Vec<&str> = findings
        .iter()
        .map(|finding| finding.path.as_str())
        .collect();
    files.dedup();
    if files.len() > 1 {
        findings
    } else {
        Vec::new()
    }
}

/// Parallelism is visible: who wants it asks `fb-tensor`. A test may make pools of its own, to hold one thread against many.
pub(crate) fn parallelism(tree: &Tree) -> Vec<Finding> {
    let rule = "rayon belongs in fb-tensor's kernels and threads and in fb-data's loader";
    let allowed = |path: &str, _: &str| in_home(path, &RAYON_HOMES) || path.contains("/tests/");
    named_outside(tree, "rayon", allowed, rule)
}

/// Whether the file is the module or lies in its folder.
fn in_home(path: &str, homes: &[&str]) -> bool {
    let is_module = |rest: &str| rest == ".rs" || rest.starts_with('/');
    homes.iter().any(|home| {
        path.strip_prefix(home)
            .is_some_and(|rest| home.ends_with('/') || is_module(rest))
    })
}

fn named_outside(
    tree: &Tree,
    word: &str,
    allowed: impl Fn(&str, &str) -> bool,
    rule: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree
        .ending(".rs")
        .filter(|(path, text)| !allowed(path, text))
    {
        let code = code(text);
        let named = |token: &Token<'_>| token.text == word;
        findings.extend(
            tokens(&code)
                .into_iter()
                .filter(named)
                .map(|token| Finding::new(path, token.line, rule)),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{Finding, Tree, forbid_attribute, parallelism, unsafe_code, wire_format};

    fn places(findings: &[Finding]) -> Vec<(&str, usize)> {
        findings.iter().map(|f| (f.path.as_str(), f.line)).collect()
    }

    #[test]
    fn a_root_without_the_attribute_is_found() {
        let tree = Tree::of(&[
            (
                "crates/a/src/lib.rs",
                "//! #![forbid(unsafe_code)]\npub mod b;",
            ),
            ("crates/a/src/b.rs", ""),
            ("crates/fb-tensor/src/lib.rs", "#![deny(unsafe_code)]"),
            ("benches/src/bin/workloads.rs", "#![forbid(unsafe_code)]"),
        ]);
        assert_eq!(
            places(&forbid_attribute(&tree)),
            [("crates/a/src/lib.rs", 1)]
        );
    }

    #[test]
    fn unsafe_outside_its_homes_is_found() {
        let tree = Tree::of(&[
            ("crates/fb-tensor/src/kernels/gemm.rs", "unsafe { f() }"),
            ("crates/fb-tensor/src/storage.rs", "unsafe { f() }"),
            (
                "crates/fb-tensor/src/tensor.rs",
                "// unsafe\nlet x = \"unsafe\";\nlet y = unsafe { f() };",
            ),
            ("crates/fb-tensor/src/storage_of.rs", "unsafe { f() }"),
            (
                "crates/fb-nn/tests/allocations.rs",
                "unsafe impl GlobalAlloc for Counting {}",
            ),
        ]);
        let expected = [
            ("crates/fb-tensor/src/storage_of.rs", 1),
            ("crates/fb-tensor/src/tensor.rs", 3),
        ];
        assert_eq!(places(&unsafe_code(&tree)), expected);
    }

    #[test]
    fn bincode_in_two_files_is_found() {
        let one = (
            "crates/a/src/wire.rs",
            "use bincode::config;\nbincode::encode()",
        );
        assert!(wire_format(&Tree::of(&[one])).is_empty());
        let two = Tree::of(&[one, ("crates/b/src/lib.rs", "\nfn f(e: bincode::Error) {}")]);
        let expected = [
            ("crates/a/src/wire.rs", 1),
            ("crates/a/src/wire.rs", 2),
            ("crates/b/src/lib.rs", 2),
        ];
        assert_eq!(places(&wire_format(&two)), expected);
    }

    #[test]
    fn rayon_in_a_layer_is_found() {
        let tree = Tree::of(&[
            (
                "crates/fb-tensor/src/kernels/add.rs",
                "use rayon::prelude::*;",
            ),
            ("crates/fb-nn/src/layers/dense.rs", "use rayon::prelude::*;"),
            (
                "crates/fb-nn/tests/threads.rs",
                "rayon::ThreadPoolBuilder::new();",
            ),
        ]);
        assert_eq!(
            places(&parallelism(&tree)),
            [("crates/fb-nn/src/layers/dense.rs", 1)]
        );
    }
}
