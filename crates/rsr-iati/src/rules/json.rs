//! Just enough JSON to read a ruleset.

use std::iter::Peekable;
use std::str::Chars;

/// A JSON value. Objects keep their order: findings come in the order of the ruleset.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// Lists and objects within each other. A ruleset has about ten.
const DEPTH_MAX: usize = 32;

impl Json {
    /// Reads one value; `None` where the text is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser {
            rest: text.chars().peekable(),
            depth: 0,
        };
        let value = parser.value()?;
        parser.space();
        parser.rest.next().is_none().then_some(value)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.object()
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            _ => &[],
        }
    }

    pub(super) fn object(&self) -> &[(String, Self)] {
        match self {
            Self::Object(object) => object,
            _ => &[],
        }
    }
}

struct Parser<'t> {
    rest: Peekable<Chars<'t>>,
    depth: usize,
}

impl Parser<'_> {
    fn space(&mut self) {
        while self
            .rest
            .next_if(|c| matches!(c, ' ' | '\t' | '\n' | '\r'))
            .is_some()
        {}
    }

    fn take(&mut self, expected: char) -> Option<()> {
        self.space();
        self.rest.next_if_eq(&expected).map(|_| ())
    }

    fn value(&mut self) -> Option<Json> {
        self.space();
        match self.rest.peek()? {
            '"' => self.string().map(Json::Text),
            '{' => self.nested(Self::object),
            '[' => self.nested(Self::array),
            't' => self.word("true").map(|()| Json::Bool(true)),
            'f' => self.word("false").map(|()| Json::Bool(false)),
            'n' => self.word("null").map(|()| Json::Null),
            _ => {
                let mut digits = String::new();
                while let Some(c) = self
                    .rest
                    .next_if(|c| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
                {
                    digits.push(c);
                }
                digits.parse().ok().map(Json::Number)
            }
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Option<Json>) -> Option<Json> {
        self.depth += 1;
        let value = if self.depth > DEPTH_MAX {
            None
        } else {
            read(self)
        };
        self.depth -= 1;
        value
    }

    fn word(&mut self, word: &str) -> Option<()> {
        word.chars()
            .all(|c| self.rest.next() == Some(c))
            .then_some(())
    }

    fn array(&mut self) -> Option<Json> {
        self.take('[')?;
        let mut list = Vec::new();
        if self.take(']').is_some() {
            return Some(Json::List(list));
        }
        loop {
            list.push(self.value()?);
            if self.take(']').is_some() {
                return Some(Json::List(list));
            }
            self.take(',')?;
        }
    }

    fn object(&mut self) -> Option<Json> {
        self.take('{')?;
        let mut object = Vec::new();
        if self.take('}').is_some() {
            return Some(Json::Object(object));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.take(':')?;
            object.push((key, self.value()?));
            if self.take('}').is_some() {
                return Some(Json::Object(object));
            }
            self.take(',')?;
        }
    }

    fn string(&mut self) -> Option<String> {
        self.take('"')?;
        let mut text = String::new();
        loop {
            match self.rest.next()? {
                '"' => return Some(text),
                '\\' => match self.rest.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    'b' => text.push('\u{8}'),
                    'f' => text.push('\u{c}'),
                    'u' => text.push(self.escape()?),
                    other => text.push(other),
                },
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        self.word("\\u")?;
        let second = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second)
    }

    fn hex(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |sum, _| Some(sum * 16 + self.rest.next()?.to_digit(16)?))
    }
}
