//! Which parameter names a pattern means.

/// Whether `pattern` (with `*` and `?`) matches the whole name, or is the path of something that holds it. A part of a
/// parameter, such as `hidden/weight.magnitude`, is meant with the parameter.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    glob(pattern.as_bytes(), name.as_bytes())
        || owner(name).is_some_and(|owner| glob(pattern.as_bytes(), owner.as_bytes()))
        || name
            .strip_prefix(pattern)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// The parameter that a part belongs to: the name up to a dot in its last element.
fn owner(name: &str) -> Option<&str> {
    let (owner, part) = name.rsplit_once('.')?;
    (!part.contains('/') && owner.contains('/')).then_some(owner)
}

/// Iterative wildcard match: on a mismatch, goes back to the last `*` and lets it take one character more.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    p = *at + 1;
                    n = *taken;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs_and_paths() {
        assert!(matches("hidden1", "hidden1/weight"));
        assert!(!matches("hidden1", "hidden10/weight"));
        assert!(matches("*/bias", "hidden1/bias"));
        assert!(matches("h*n?/w*t", "hidden1/weight"));
        assert!(matches("*", ""));
        assert!(!matches("*x", "hidden1/weight"));
        assert!(matches("a*a*b", "aaab"));
        assert!(!matches("", "a"));
        assert!(matches("*/weight", "hidden/weight.magnitude"));
        assert!(matches("hidden/weight", "hidden/weight.magnitude"));
        assert!(!matches("a", "a.b/weight"));
        assert!(!matches("a", "a.b"));
    }
}
