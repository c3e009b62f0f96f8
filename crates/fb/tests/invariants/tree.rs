//! The repository as a set of paths and texts; a sample tree for the rules' own tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Endings of the files whose text rules look at, and whole names of those without an ending.
const TEXT: [&str; 12] = [
    "rs",
    "toml",
    "md",
    "py",
    "sh",
    "yml",
    "yaml",
    "NOTICE",
    "run",
    ".gitignore",
    "LICENSE-MIT",
    "LICENSE-APACHE",
];

/// A place that breaks a rule.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) rule: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, rule: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            rule: rule.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// Files and folders by their path from the root, with `/` between the parts.
pub(crate) struct Tree {
    texts: BTreeMap<String, String>,
    paths: BTreeSet<String>,
}

impl Tree {
    pub(crate) fn of_repository() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut tree = Self {
            texts: BTreeMap::new(),
            paths: BTreeSet::new(),
        };
        tree.read(&root, "");
        assert!(
            tree.has("crates/fb/Cargo.toml"),
            "no repository at {}",
            root.display()
        );
        tree
    }

    /// A tree made of the files given: path and text.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self {
            texts: BTreeMap::new(),
            paths: BTreeSet::new(),
        };
        for (path, text) in files {
            tree.paths.extend(
                path.match_indices('/')
                    .map(|(end, _)| path[..end].to_owned()),
            );
            tree.paths.insert((*path).to_owned());
            tree.texts.insert((*path).to_owned(), (*text).to_owned());
        }
        tree
    }

    fn read(&mut self, folder: &Path, prefix: &str) {
        let entries = fs::read_dir(folder)
            .unwrap_or_else(|e| panic!("cannot read {}: {e}", folder.display()));
        for entry in entries.map(|entry| entry.expect("a directory entry")) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().expect("a file type");
            if kind.is_dir() && !is_foreign(&entry.path(), &name) {
                self.paths.insert(path.clone());
                self.read(&entry.path(), &format!("{path}/"));
            } else if kind.is_file() {
                self.paths.insert(path.clone());
                if TEXT
                    .iter()
                    .any(|end| name == *end || name.ends_with(&format!(".{end}")))
                {
                    let text = fs::read_to_string(entry.path())
                        .unwrap_or_else(|e| panic!("cannot read {path}: {e}"));
                    self.texts.insert(path, text);
                }
            }
        }
    }

    /// Whether a file or folder is there.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.paths.contains(path.trim_end_matches('/'))
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Path and text of every text file.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Path and text of every file with this ending.
    pub(crate) fn ending(&self, end: &'static str) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(move |(path, _)| path.ends_with(end))
    }
}

/// Build folders, virtual environments and what version control keeps for itself.
fn is_foreign(folder: &Path, name: &str) -> bool {
    let hidden = name.starts_with('.') && !matches!(name, ".ci" | ".github" | ".cargo");
    let marked = ["CACHEDIR.TAG", "pyvenv.cfg"]
        .iter()
        .any(|mark| folder.join(mark).exists());
    hidden || marked || matches!(name, "target" | "out" | "__pycache__")
}

#[test]
fn a_finding_names_place_and_rule() {
    assert_eq!(
        Finding::new("src/a.rs", 3, "too loud").to_string(),
        "src/a.rs:3: too loud"
    );
}

#[test]
fn a_sample_tree_has_the_folders_of_its_files() {
    let tree = Tree::of(&[("docs/a/b.md", "")]);
    assert!(
        tree.has("docs/a/b.md")
            && tree.has("docs/a/")
            && tree.has("docs")
            && !tree.has("docs/b.md")
    );
}
