//! What README, docs and the like tell a reader to run or to open must be there.

use super::tree::{Finding, Tree};

/// Folders that a path in prose starts with.
const FOLDERS: [&str; 5] = ["docs/", "crates/", "examples/", "benches/", ".ci/"];

fn pages(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.ending(".md")
}

/// A stand-in for a name of the reader's own, as in `--example NAME`.
fn is_placeholder(word: &str) -> bool {
    let marks = ["<", "…", "*", "NAME", "your_", "my_"];
    word.is_empty()
        || marks.iter().any(|mark| word.contains(mark))
        || word.chars().all(|c| c.is_uppercase())
}

/// Every `--example`, `--bin`, `--bench`, `--test` and `-p` of a cargo command names something that exists.
pub(crate) fn commands(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in pages(tree) {
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains("cargo "))
        {
            let words: Vec<&str> = line
                .split_whitespace()
                .map(|word| word.trim_matches(['`', ',', '.', ';', ')', '(']))
                .collect();
            for pair in words.windows(2).filter(|pair| !is_placeholder(pair[1])) {
                if !is_there(tree, pair[0], pair[1]) {
                    let rule = format!("`{} {}` names nothing in the tree", pair[0], pair[1]);
                    findings.push(Finding::new(path, number + 1, rule));
                }
            }
        }
    }
    findings
}

fn is_there(tree: &Tree, flag: &str, name: &str) -> bool {
    let target = |folder: &str| {
        let (file, main) = (
            format!("{folder}/{name}.rs"),
            format!("{folder}/{name}/main.rs"),
        );
        tree.paths()
            .any(|path| path.ends_with(&file) || path.ends_with(&main))
    };
    let in_manifest = |section: &str| {
        let entry = format!("name = \"{name}\"");
        tree.ending("Cargo.toml").any(|(_, text)| {
            let mut sections = text
                .split("\n[")
                .filter(|part| part.trim_start_matches('[').starts_with(section));
            sections.any(|part| part.lines().any(|line| line.trim() == entry))
        })
    };
    match flag {
        "--example" => target("/examples"),
        "--bin" => target("/src/bin") || in_manifest("bin"),
        "--bench" => target("/benches"),
        "--test" => target("/tests"),
        "-p" | "--package" => in_manifest("package"),
        _ => true,
    }
}

/// Every path in backticks that starts at the root, and every relative link, leads to a file or folder.
pub(crate) fn paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (page, text) in pages(tree) {
        for (number, line) in text.lines().enumerate() {
            let quoted = line
                .split('`')
                .skip(1)
                .step_by(2)
                .flat_map(str::split_whitespace)
                .filter_map(rooted_path);
            let linked = line
                .split("](")
                .skip(1)
                .filter_map(|rest| linked_path(page, rest.split(')').next()?));
            for path in quoted.chain(linked).flat_map(|path| alternatives(&path)) {
                if !tree.has(&path) {
                    findings.push(Finding::new(
                        page,
                        number + 1,
                        format!("`{path}` is not in the tree"),
                    ));
                }
            }
        }
    }
    findings
}

/// `crates/fb/src/lib.rs:12` without its line, if it is a path from the root and no pattern.
fn rooted_path(word: &str) -> Option<String> {
    let path = word.split(':').next()?.trim_matches([',', '.', ';']);
    let path = if word.starts_with('.') {
        format!(".{path}")
    } else {
        path.to_owned()
    };
    let counts = FOLDERS.iter().any(|folder| path.starts_with(folder)) && !is_placeholder(&path);
    counts.then_some(path)
}

/// Where a link on a page leads, from the root.
fn linked_path(page: &str, target: &str) -> Option<String> {
    let target = target.split('#').next()?;
    if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match part {
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// `src/{a,b}.rs` as `src/a.rs` and `src/b.rs`.
fn alternatives(path: &str) -> Vec<String> {
    let Some((before, (inside, after))) = path
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    else {
        return vec![path.to_owned()];
    };
    inside
        .split(',')
        .map(|choice| format!("{before}{}{after}", choice.trim()))
        .collect()
}

/// A reader finds every example from the front page or from the examples' own.
pub(crate) fn examples_introduced(tree: &Tree) -> Vec<Finding> {
    let pages = ["README.md", "examples/README.md"].map(|page| tree.text(page).unwrap_or_default());
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let introduced = |name: &str| {
        pages
            .iter()
            .any(|page| page.split(|c| !is_word(c)).any(|word| word == name))
    };
    let mut findings = Vec::new();
    for path in tree.paths() {
        let name = path
            .strip_prefix("examples/examples/")
            .and_then(|rest| rest.strip_suffix(".rs"));
        if let Some(name) = name
            .map(|name| name.trim_end_matches("/main"))
            .filter(|name| !name.contains('/'))
            && !introduced(name)
        {
            findings.push(Finding::new(
                path,
                1,
                "mentioned in neither README.md nor examples/README.md",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{Finding, Tree, commands, examples_introduced, paths};

    fn places(findings: &[Finding]) -> Vec<(&str, usize)> {
        findings.iter().map(|f| (f.path.as_str(), f.line)).collect()
    }

    const BENCHES: &str =
        "[package]\nname = \"fb-benches\"\n\n[[bin]]\nname = \"table\"\npath = \"t.rs\"\n";

    #[test]
    fn a_command_that_cannot_run_is_found() {
        let readme = "`cargo run --release --example xor -- --seeds 3`\ncargo run --example ghost\n\
            cargo run -p fb-benches --bin table\ncargo run -p fb-ghost\ncargo test -p fb --test ghost\n\
            cargo run --example NAME\ncargo run --bin workloads\ncargo run --bin fb-benches\nmkdir -p anything";
        let tree = Tree::of(&[
            ("README.md", readme),
            ("examples/examples/xor.rs", ""),
            ("benches/Cargo.toml", BENCHES),
            ("benches/src/bin/workloads.rs", ""),
            ("crates/fb/Cargo.toml", "[package]\nname = \"fb\"\n"),
        ]);
        let expected = [
            ("README.md", 2),
            ("README.md", 4),
            ("README.md", 5),
            ("README.md", 8),
        ];
        assert_eq!(places(&commands(&tree)), expected);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_found() {
        let page = "See `docs/here.md` and `crates/a/{b,c}.rs:12`, `crates/*/x`, `crates/a/your_layer.rs`.\n\
            `docs/gone.md`\n[up](../README.md), [gone](deeper/gone.md#part), [web](https://example.com/x)\n`.ci/run`";
        let tree = Tree::of(&[
            ("README.md", ""),
            ("docs/here.md", page),
            ("crates/a/b.rs", ""),
            (".ci/run", ""),
        ]);
        let findings = paths(&tree);
        let texts: Vec<_> = findings.iter().map(Finding::to_string).collect();
        let expected = [
            "docs/here.md:1: `crates/a/c.rs` is not in the tree",
            "docs/here.md:2: `docs/gone.md` is not in the tree",
            "docs/here.md:3: `docs/deeper/gone.md` is not in the tree",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn an_example_that_nobody_mentions_is_found() {
        let tree = Tree::of(&[
            (
                "README.md",
                "Run `--example xor`; xor_gates is another word.",
            ),
            ("examples/examples/xor.rs", ""),
            ("examples/examples/gates.rs", ""),
            ("examples/examples/digits/main.rs", ""),
        ]);
        let expected = [
            ("examples/examples/digits/main.rs", 1),
            ("examples/examples/gates.rs", 1),
        ];
        assert_eq!(places(&examples_introduced(&tree)), expected);
    }
}
