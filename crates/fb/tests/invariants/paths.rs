//! The paths that a source file names, written out from the crate's root: `super::mse` in `loss/mae.rs` is `loss::mse`.

use super::rust::Token;

/// A path named in the source.
#[derive(Debug, PartialEq)]
pub(crate) struct Named {
    /// From the crate's root.
    pub(crate) path: Vec<String>,
    /// What an import calls it here.
    pub(crate) name: String,
    pub(crate) line: usize,
}

/// Every path that starts with `crate`, `super` or `self`.
pub(crate) fn rooted(module: &[String], tokens: &[Token<'_>]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut inside: Vec<(usize, &str)> = Vec::new(); // inline modules and the brace depth of their bodies
    let (mut depth, mut at) = (0, 0);
    while at < tokens.len() {
        let next = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text);
        match tokens[at].text {
            "mod" if next(2) == "{" => inside.push((depth + 1, next(1))),
            "{" => depth += 1,
            "}" => {
                inside.retain(|(body, _)| *body < depth);
                depth = depth.saturating_sub(1);
            }
            "crate" | "super" | "self" if next(1) == "::" => {
                let here = module
                    .iter()
                    .cloned()
                    .chain(inside.iter().map(|(_, name)| (*name).to_owned()));
                at = expand(tokens, at, here.collect(), &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The imports of `module` that start with a name, as in `pub use mse::MeanSquaredError`.
pub(crate) fn relative_imports(module: &[String], tokens: &[Token<'_>]) -> Vec<Named> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let first = tokens.get(at + 1).map_or("", |next| next.text);
        if token.text == "use" && !matches!(first, "crate" | "super" | "self" | "::" | "<") {
            expand(tokens, at + 1, module.to_vec(), &mut found);
        }
    }
    found
}

/// Reads the path at `at`, its braces written out, and gives the index after it.
fn expand(
    tokens: &[Token<'_>],
    mut at: usize,
    mut path: Vec<String>,
    found: &mut Vec<Named>,
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let line = tokens.get(at).map_or(0, |token| token.line);
    loop {
        match text(at) {
            "{" => {
                at += 1;
                while !matches!(text(at), "}" | "") {
                    at = expand(tokens, at, path.clone(), found);
                    at += usize::from(text(at) == ",");
                }
                return at + 1;
            }
            "crate" => path.clear(),
            "super" => drop(path.pop()),
            "self" => {}
            word if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                path.push(word.to_owned())
            }
            other => {
                // `*` ends an import of everything; a type argument or a macro's `$name` ends a path in code.
                path.extend((other == "*").then(|| other.to_owned()));
                found.push(Named {
                    name: path.last().cloned().unwrap_or_default(),
                    path,
                    line,
                });
                return at + 1;
            }
        }
        at += 1;
        match text(at) {
            "::" => at += 1,
            "as" => {
                found.push(Named {
                    path,
                    name: text(at + 1).to_owned(),
                    line,
                });
                return at + 2;
            }
            _ => {
                found.push(Named {
                    name: path.last().cloned().unwrap_or_default(),
                    path,
                    line,
                });
                return at;
            }
        }
    }
}

/// The module that a source file is, from its path under `src`.
pub(crate) fn module_of(under_src: &str) -> Vec<String> {
    let parts = under_src.trim_end_matches(".rs").split('/');
    let is_root = |part: &str| matches!(part, "mod" | "lib" | "main");
    parts
        .filter(|part| !is_root(part))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::rust::{code, tokens};
    use super::{module_of, relative_imports, rooted};

    fn written(
        source: &str,
        read: impl Fn(&[super::Token<'_>]) -> Vec<super::Named>,
    ) -> Vec<String> {
        read(&tokens(&code(source)))
            .iter()
            .map(|n| format!("{} = {}", n.name, n.path.join("::")))
            .collect()
    }

    #[test]
    fn paths_are_written_out_from_the_root() {
        let source = "use crate::{a::{B, self}, c as d};\nuse super::e::*;\nfn f() { super::super::g::<T>() }
            mod inner { use super::h; }\nuse self::i;\npub(crate) fn j() -> crate::k::L {}";
        let found = written(source, |tokens| rooted(&module_of("m/n.rs"), tokens));
        let expected = [
            "B = a::B",
            "a = a",
            "d = c",
            "* = m::e::*",
            "g = g",
            "h = m::n::h",
            "i = m::n::i",
            "L = k::L",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn relative_imports_belong_to_their_module() {
        let source = "mod a;\npub use a::{B, C as D};\nuse crate::x;\nuse std::fmt;";
        let found = written(source, |tokens| {
            relative_imports(&module_of("m/mod.rs"), tokens)
        });
        assert_eq!(found, ["B = m::a::B", "D = m::a::C", "fmt = m::std::fmt"]);
    }
}
