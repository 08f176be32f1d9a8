//! The arguments of the attribute.

use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Lit, LitInt, LitStr, Result, Token, parenthesized};

/// What was written between the parentheses.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) ttl_ns: Option<u64>,
    pub(crate) stale_for_ns: Option<u64>,
    pub(crate) max_size: Option<LitInt>,
    pub(crate) key: Option<Expr>,
    pub(crate) tag: Option<Expr>,
    /// Set where errors are cached; the time is theirs, else that of all entries.
    pub(crate) cache_err: Option<(Ident, Option<u64>)>,
    pub(crate) skip: Vec<Ident>,
    pub(crate) is_associated: bool,
}

const KNOWN: &str = "name, ttl, max_size, stale_for, key, tag, cache_err, skip(...), associated";

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let word = input.call(Ident::parse_any)?;
            if seen.contains(&word) {
                return Err(Error::new(word.span(), format!("`{word}` is given twice")));
            }
            seen.push(word.clone());
            options.read(&word, input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    fn read(&mut self, word: &Ident, input: ParseStream<'_>) -> Result<()> {
        match word.to_string().as_str() {
            "name" => self.name = Some(value(input)?),
            "ttl" => self.ttl_ns = Some(duration(input)?),
            "stale_for" => self.stale_for_ns = Some(duration(input)?),
            "max_size" => {
                let size: LitInt = value(input)?;
                size.base10_parse::<u64>()?;
                self.max_size = Some(size);
            }
            "key" => self.key = Some(value(input)?),
            "tag" => self.tag = Some(value(input)?),
            "cache_err" => {
                let has_ttl = input.peek(Token![=]);
                let ttl = has_ttl.then(|| duration(input)).transpose()?;
                self.cache_err = Some((word.clone(), ttl));
            }
            "skip" => {
                let inner;
                parenthesized!(inner in input);
                let skipped = Punctuated::<Ident, Token![,]>::parse_terminated(&inner)?;
                self.skip = skipped.into_iter().collect();
            }
            "associated" => self.is_associated = true,
            _ => {
                let message = format!("`{word}` is no argument of `cached`; known are {KNOWN}");
                return Err(Error::new(word.span(), message));
            }
        }
        Ok(())
    }
}

fn value<T: Parse>(input: ParseStream<'_>) -> Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// A time in nanoseconds: a number of seconds, or a text with a unit.
fn duration(input: ParseStream<'_>) -> Result<u64> {
    let literal: Lit = value(input)?;
    let text = match &literal {
        Lit::Int(seconds) => seconds.base10_digits().to_owned(),
        Lit::Float(seconds) => seconds.base10_digits().to_owned(),
        Lit::Str(text) => text.value(),
        _ => String::new(),
    };
    nanoseconds(&text).ok_or_else(|| {
        let message = "a time is a number of seconds, as in `60` or `0.5`, or a text such as \"100ms\", \"30m\" or \"1h\"";
        Error::new(literal.span(), message)
    })
}

fn nanoseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let unit_ns: u128 = match unit.trim() {
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 9 || whole.is_empty() {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let parts: u128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let whole: u128 = whole.parse().ok()?;
    let total = whole
        .checked_mul(scale)?
        .checked_add(parts)?
        .checked_mul(unit_ns)?;
    u64::try_from(total / scale).ok()
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(nanoseconds(text), expected, "{text}");
    }

    #[test]
    fn times_are_read_with_and_without_units() {
        check("60", Some(60_000_000_000));
        check("0.1", Some(100_000_000));
        check("100ms", Some(100_000_000));
        check("1.5h", Some(5_400_000_000_000));
        check("30 m", Some(1_800_000_000_000));
        check("2d", Some(172_800_000_000_000));
        check("", None);
        check("-1", None);
        check("5 parsecs", None);
        check("1.2.3", None);
        check("99999999999d", None);
    }
}
