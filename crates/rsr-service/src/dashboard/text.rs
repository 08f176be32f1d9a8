//! Figures and foreign texts as a page shows them.

use std::fmt::{self, Write};
use std::time::Duration;

/// A size in the unit that people compare it in, with one place.
pub(super) struct Size(pub(super) u64);

const UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = UNITS
            .into_iter()
            .find(|(_, size)| self.0 >= *size)
            .unwrap_or(("B", 1));
        if size == 1 {
            return write!(f, "{} B", self.0);
        }
        let tenths = u128::from(self.0) * 10 / u128::from(size);
        write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// A count with its thousands set apart by a thin space.
pub(super) struct Count(pub(super) u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (nth, digit) in digits.chars().enumerate() {
            if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
                f.write_char('\u{202f}')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A share of a whole in percent, rounded down, with one place below ten.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let thousandths = u128::from(part) * 1_000 / u128::from(whole.max(1));
    if thousandths < 100 {
        format!("{}.{} %", thousandths / 10, thousandths % 10)
    } else {
        format!("{} %", thousandths / 10)
    }
}

/// A length of time in its largest unit.
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds @ 0..120 => write!(f, "{seconds} s"),
            seconds @ 120..7_200 => write!(f, "{} min", seconds / 60),
            seconds @ 7_200..172_800 => write!(f, "{} h", seconds / 3_600),
            seconds => write!(f, "{} days", seconds / 86_400),
        }
    }
}

/// A text that HTML takes as text, in an attribute too.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other if other.is_control() => f.write_char(' ')?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        let text = Text("<script>alert('x') & \"y\"</script>\n").to_string();
        assert_eq!(
            text,
            "&lt;script&gt;alert(&#39;x&#39;) &amp; &quot;y&quot;&lt;/script&gt; "
        );
    }

    #[test]
    fn figures_are_rounded_down() {
        assert_eq!(Size(0).to_string(), "0 B");
        assert_eq!(Size(1_023).to_string(), "1023 B");
        assert_eq!(Size((1 << 20) * 3 / 2).to_string(), "1.5 MiB");
        assert_eq!(Size(u64::MAX).to_string(), "17179869183.9 GiB");
        assert_eq!(Count(1_234_567).to_string(), "1\u{202f}234\u{202f}567");
        assert_eq!(Count(12).to_string(), "12");
        assert_eq!(percent(1, 3), "33 %");
        assert_eq!(percent(1, 30), "3.3 %");
        assert_eq!(percent(7, 0), "700 %");
        assert_eq!(Span(Duration::from_secs(119)).to_string(), "119 s");
        assert_eq!(Span(Duration::from_secs(3_600)).to_string(), "60 min");
        assert_eq!(Span(Duration::from_secs(86_400)).to_string(), "24 h");
    }
}
