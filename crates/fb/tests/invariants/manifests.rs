//! Who may import whom, from the crates' manifests. What tests use does not count.

use super::tree::{Finding, Tree};

/// Every crate with the crates of ours that it may depend on.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("fb-tensor", &[]),
    ("fb-autograd", &["fb-tensor"]),
    ("fb-data", &["fb-tensor"]),
    ("fb-nn", &["fb-autograd", "fb-tensor"]),
    (
        "fb-train",
        &["fb-autograd", "fb-data", "fb-nn", "fb-tensor"],
    ),
    (
        "fb",
        &["fb-autograd", "fb-data", "fb-nn", "fb-tensor", "fb-train"],
    ),
];

pub(crate) fn crate_order(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, manifest) in tree.ending("/Cargo.toml") {
        let Some(name) = path
            .strip_prefix("crates/")
            .and_then(|rest| rest.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            let rule = format!(
                "{name} is not in the table of who may import whom: give it a row in this test"
            );
            findings.push(Finding::new(path, 1, rule));
            continue;
        };
        for (dependency, line) in own_dependencies(manifest) {
            if !allowed.contains(&dependency.as_str()) {
                let rule = format!("{name} must not depend on {dependency}; allowed: {allowed:?}");
                findings.push(Finding::new(path, line, rule));
            }
        }
    }
    findings
}

/// The crates of ours among the dependencies, with their lines.
fn own_dependencies(manifest: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut counts = false;
    for (number, line) in manifest
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim()))
    {
        if let Some(section) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let (table, named) = section.rsplit_once("dependencies").unwrap_or(("", section));
            counts = section.contains("dependencies") && !table.ends_with("dev-");
            let named = named.strip_prefix('.').filter(|_| counts);
            found.extend(
                named
                    .filter(|name| is_ours(name))
                    .map(|name| (name.to_owned(), number)),
            );
        } else if counts && !line.starts_with('#') {
            let key = line
                .split(['=', '.', ' '])
                .next()
                .unwrap_or_default()
                .trim_matches('"');
            let renamed = line
                .split_once("package = \"")
                .and_then(|(_, rest)| rest.split('"').next());
            let name = renamed.unwrap_or(key);
            found.extend(is_ours(name).then(|| (name.to_owned(), number)));
        }
    }
    found
}

fn is_ours(name: &str) -> bool {
    name == "fb" || name.starts_with("fb-")
}

#[test]
fn a_dependency_upwards_is_found() {
    let manifest = "[package]\nname = \"fb-data\"\n[dependencies]\nfb-tensor.workspace = true\nserde = \"1\"\n\
        fb-nn = { path = \"../fb-nn\" }\nx = { package = \"fb-train\" }\n[dependencies.fb]\npath = \"../fb\"\n\
        [target.'cfg(unix)'.dependencies]\nfb-autograd.workspace = true\n[dev-dependencies]\nfb.workspace = true\n";
    let tree = Tree::of(&[
        ("crates/fb-data/Cargo.toml", manifest),
        ("crates/fb-new/Cargo.toml", ""),
    ]);
    let findings: Vec<_> = crate_order(&tree)
        .iter()
        .map(|f| (f.path.clone(), f.line))
        .collect();
    let data = "crates/fb-data/Cargo.toml".to_owned();
    let expected = [
        (data.clone(), 6),
        (data.clone(), 7),
        (data.clone(), 8),
        (data, 11),
        ("crates/fb-new/Cargo.toml".to_owned(), 1),
    ];
    assert_eq!(findings, expected);
}
