//! Texts that rules ask to look a certain way.

use regex_lite::Regex;

/// A regular expression; the one form that the standard's ruleset uses is matched without a machine.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// `^[^…]+$` of some ASCII characters: at least one character, none of these.
    NoneOf(Vec<u8>),
    Other(Regex),
}

impl Pattern {
    /// `None`: the text is no regular expression.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let regex = Regex::new(text).ok()?;
        Some(none_of(text).map_or(Self::Other(regex), Self::NoneOf))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::NoneOf(refused) => {
                !text.is_empty() && !text.bytes().any(|b| refused.contains(&b))
            }
            Self::Other(regex) => regex.is_match(text),
        }
    }
}

/// The characters of `^[^…]+$`, where each is punctuation, escaped or not, that has no meaning of its own there.
fn none_of(text: &str) -> Option<Vec<u8>> {
    let inside = text.strip_prefix("^[^")?.strip_suffix("]+$")?;
    let mut refused = Vec::new();
    let mut bytes = inside.bytes();
    while let Some(mut b) = bytes.next() {
        if b == b'\\' {
            b = bytes.next()?;
        } else if matches!(b, b'[' | b']' | b'^' | b'-' | b'&' | b'~') {
            return None;
        }
        if !b.is_ascii_punctuation() {
            return None;
        }
        refused.push(b);
    }
    (!refused.is_empty()).then_some(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_matches_as_the_machine_does() {
        let text = r"^[^\/\&\|\?]+$";
        let (short, regex) = (Pattern::parse(text).unwrap(), Regex::new(text).unwrap());
        assert!(matches!(&short, Pattern::NoneOf(refused) if refused == b"/&|?"));
        for text in ["", "XM-DAC-1", "a/b", "a b", "é?", "&", "\n", "|x", "-"] {
            assert_eq!(short.matches(text), regex.is_match(text), "{text:?}");
        }
        for other in ["^[^a-z]+$", "^[^\\d]+$", "^a+$", "^[^]+$", "[^/]+"] {
            assert!(
                !matches!(Pattern::parse(other), Some(Pattern::NoneOf(_))),
                "{other}"
            );
        }
    }
}
