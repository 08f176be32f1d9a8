//! What one row of the table of settings says, and the macro that makes structs and table from one declaration.

use crate::choice::Profile;
use crate::kind::Kind;
use crate::tree::Settings;

/// The part of a row that is written out in the declaration; built by the `const` methods below, left to right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) variable: &'static str,
    /// The default as text; `{state}` and `{runtime}` stand for the user's own folders.
    pub(crate) default: &'static str,
    /// One text for each of [`Profile::ALL`]; empty where the profile says nothing.
    profiles: [&'static str; 5],
    pub(crate) bounds: Bounds,
    /// Whether the value may change while the service runs.
    pub(crate) live: bool,
}

/// The bounds of a value, as texts of the value's own kind; empty where there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) above: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

pub(crate) const fn row(variable: &'static str, default: &'static str) -> Row {
    Row {
        variable,
        default,
        profiles: [""; 5],
        bounds: Bounds {
            above: "",
            from: "",
            to: "",
        },
        live: false,
    }
}

impl Row {
    /// The columns production, development, low-memory and high-memory; an empty one says nothing.
    pub(crate) const fn profiles(
        mut self,
        production: &'static str,
        development: &'static str,
        low_memory: &'static str,
        high_memory: &'static str,
    ) -> Self {
        self.profiles = [
            production,
            development,
            low_memory,
            high_memory,
            self.profiles[4],
        ];
        self
    }

    pub(crate) const fn test(mut self, value: &'static str) -> Self {
        self.profiles[4] = value;
        self
    }

    pub(crate) const fn above(mut self, limit: &'static str) -> Self {
        self.bounds.above = limit;
        self
    }

    pub(crate) const fn from(mut self, limit: &'static str) -> Self {
        self.bounds.from = limit;
        self
    }

    pub(crate) const fn to(mut self, limit: &'static str) -> Self {
        self.bounds.to = limit;
        self
    }

    pub(crate) const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// What the profile's own column says, before it falls back on production's.
    pub(crate) fn column(&self, profile: Profile) -> Option<&'static str> {
        let place = Profile::ALL.iter().position(|each| *each == profile)?;
        self.profiles
            .get(place)
            .copied()
            .filter(|text| !text.is_empty())
    }

    /// The value the profile gives, if it gives one.
    pub(crate) fn in_profile(&self, profile: Profile) -> Option<&'static str> {
        let production = match profile {
            Profile::LowMemory | Profile::HighMemory => self.column(Profile::Production),
            Profile::Production | Profile::Development | Profile::Test => None,
        };
        self.column(profile).or(production)
    }
}

impl Bounds {
    /// The bounds in words, such as `above 0, up to 86400`; empty where there are none.
    pub(crate) fn in_words(&self) -> String {
        let parts = [
            ("above ", self.above),
            ("from ", self.from),
            ("up to ", self.to),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(_word, limit)| !limit.is_empty())
            .map(|(word, limit)| format!("{word}{limit}"))
            .collect();
        parts.join(", ")
    }
}

/// One setting: its row, and how the field of the tree is read, written and copied.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    /// One or more sentences, as in the field's documentation.
    pub(crate) meaning: &'static str,
    pub(crate) row: Row,
    pub(crate) type_name: fn() -> String,
    pub(crate) accepted: fn() -> String,
    pub(crate) text_only: bool,
    pub(crate) secret: bool,
    /// Puts a text into the field; false where the kind or the bounds do not accept it.
    pub(crate) read: fn(&Row, &mut Settings, &str) -> bool,
    /// The field as text; secrets are masked.
    pub(crate) show: fn(&Settings) -> String,
    /// Copies the field from the first tree into the second.
    pub(crate) copy: fn(&Settings, &mut Settings),
}

impl Setting {
    /// What the setting takes, bounds included, in words.
    pub(crate) fn accepted_in_words(&self) -> String {
        let kind = (self.accepted)();
        match self.row.bounds.in_words() {
            bounds if bounds.is_empty() => kind,
            bounds => format!("{kind}; {bounds}"),
        }
    }
}

/// Reads a text of kind `K` if it keeps to the row's bounds.
pub(crate) fn accept<K: Kind>(row: &Row, text: &str) -> Option<K::Value> {
    let value = K::parse(text.trim())?;
    let Bounds { above, from, to } = row.bounds;
    let limit = |text: &str| {
        if text.is_empty() {
            None
        } else {
            K::parse(text)
        }
    };
    let kept = limit(above).is_none_or(|limit| K::is_less(&limit, &value))
        && limit(from).is_none_or(|limit| !K::is_less(&value, &limit))
        && limit(to).is_none_or(|limit| !K::is_less(&limit, &value));
    kept.then_some(value)
}

/// Declares sections: a struct each, the tree of them, its defaults, and the table of rows.
///
/// A field's documentation is the setting's meaning on the reference page, and section and field name are its key.
macro_rules! sections {
    ($($(#[doc = $about:literal])+ $section:ident: $name:ident {
        $($(#[doc = $meaning:literal])+ $field:ident: $type:ty = $kind:ty, $row:expr;)*
    })*) => {
        /// Every setting of the product, a section for each part of it.
        ///
        /// `default()` has the built-in defaults, with the folders of a user without a home.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $($(#[doc = $about])+ pub $section: $name,)*
        }

        $(
            $(#[doc = $about])+
            #[derive(Clone, Debug, PartialEq)]
            pub struct $name {
                $($(#[doc = $meaning])+ pub $field: $type,)*
            }

            impl Default for $name {
                fn default() -> Self {
                    let folders = $crate::load::Folders::default();
                    Self {
                        $($field: {
                            const ROW: Row = $row;
                            accept::<$kind>(&ROW, &folders.fill_in(ROW.default))
                                .expect("a default keeps to its own bounds, as a test of the table makes sure")
                        },)*
                    }
                }
            }
        )*

        impl Default for Settings {
            fn default() -> Self {
                Self { $($section: $name::default(),)* }
            }
        }

        /// Every setting, in the order of the reference page.
        pub(crate) static TABLE: &[Setting] = &[$($(Setting {
            key: concat!(stringify!($section), ".", stringify!($field)),
            meaning: concat!($($meaning),+),
            row: $row,
            type_name: <$kind as Kind>::type_name,
            accepted: <$kind as Kind>::accepted,
            text_only: <$kind as Kind>::TEXT_ONLY,
            secret: <$kind as Kind>::SECRET,
            read: |row, settings, text| match accept::<$kind>(row, text) {
                Some(value) => {
                    settings.$section.$field = value;
                    true
                }
                None => false,
            },
            show: |settings| <$kind as Kind>::show(&settings.$section.$field),
            copy: |from, to| to.$section.$field.clone_from(&from.$section.$field),
        },)*)*];
    };
}
pub(crate) use sections;
