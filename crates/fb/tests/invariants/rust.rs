//! Rust source as tokens: comments and literals gone, lines kept. As much of a lexer as the rules need.

/// An identifier, `::`, or one character of punctuation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The text with every comment, string and character literal overwritten by spaces.
pub(crate) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = out.chars().next_back().is_some_and(is_word);
        match comment(rest).or_else(|| literal(rest, in_word)) {
            Some(length) => {
                out.extend(
                    rest[..length]
                        .chars()
                        .map(|c| if c == '\n' { '\n' } else { ' ' }),
                );
                rest = &rest[length..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the comment that `rest` starts with. Block comments nest.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(rest.len())
}

/// The length of the string or character that `rest` starts with, prefixes such as `r#` included.
fn literal(rest: &str, in_word: bool) -> Option<usize> {
    let raw = rest
        .trim_start_matches(['b', 'c'])
        .strip_prefix('r')
        .filter(|_| !in_word);
    if let Some(raw) = raw {
        let quoted = raw.trim_start_matches('#');
        let hashes = raw.len() - quoted.len();
        if let Some(body) = quoted.strip_prefix('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let end = body.find(&close).map_or(body.len(), |at| at + close.len());
            return Some(rest.len() - body.len() + end);
        }
    }
    if let Some(body) = rest.strip_prefix('"') {
        return Some(1 + escaped_until(body, '"'));
    }
    let body = rest.strip_prefix('\'')?;
    let mut characters = body.chars();
    match (characters.next()?, characters.next()?) {
        ('\\', _) => Some(1 + escaped_until(body, '\'')),
        (c, '\'') => Some(2 + c.len_utf8()),
        _ => None, // a lifetime
    }
}

/// The length up to and with the closing quote, backslashes hiding what follows them.
fn escaped_until(body: &str, quote: char) -> usize {
    let mut hidden = false;
    for (at, c) in body.char_indices() {
        if !hidden && c == quote {
            return at + c.len_utf8();
        }
        hidden = !hidden && c == '\\';
    }
    body.len()
}

/// Splits what [`code`] gives.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            found.push(Token {
                text: &rest[..length],
                line: number + 1,
            });
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// The tokens without the items under `#[cfg(test)]`.
pub(crate) fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if starts(&tokens[at..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
            at = item_end(tokens, at + 7);
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

pub(crate) fn starts(tokens: &[Token<'_>], texts: &[&str]) -> bool {
    tokens.len() >= texts.len()
        && tokens
            .iter()
            .zip(texts)
            .all(|(token, text)| token.text == *text)
}

/// One past the item that begins at `at`: its `;` or its closing brace.
fn item_end(tokens: &[Token<'_>], at: usize) -> usize {
    let (mut braces, mut others) = (0, 0);
    for (offset, token) in tokens[at..].iter().enumerate() {
        match token.text {
            "{" => braces += 1,
            "}" => braces -= 1,
            "(" | "[" => others += 1,
            ")" | "]" => others -= 1,
            _ => {}
        }
        if braces == 0 && others == 0 && matches!(token.text, ";" | "}") {
            return at + offset + 1;
        }
    }
    tokens.len()
}

#[test]
fn comments_and_literals_are_not_code() {
    let text =
        "a /* b /* c */ d */ \"e \\\" f\" r#\"g \" h\"# 'i' '\\'' b\"j\" // k\n&'l m \"n\n o\" p";
    let code = code(text);
    let words: Vec<_> = tokens(&code)
        .iter()
        .map(|t| (t.text.to_owned(), t.line))
        .collect();
    let expected = [
        ("a", 1),
        ("b", 1),
        ("&", 2),
        ("'", 2),
        ("l", 2),
        ("m", 2),
        ("p", 3),
    ];
    assert_eq!(words, expected.map(|(text, line)| (text.to_owned(), line)));
}

#[test]
fn test_modules_are_cut_out() {
    let source = "use a;\n#[cfg(test)]\n#[allow(x)]\nmod tests { fn f() { b(); } }\n#[cfg(test)] mod c;\nfn d() {}";
    let code = code(source);
    let left: Vec<_> = without_tests(&tokens(&code))
        .iter()
        .map(|t| t.text)
        .collect();
    assert_eq!(left, ["use", "a", ";", "fn", "d", "(", ")", "{", "}"]);
}
