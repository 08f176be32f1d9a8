//! How one typed struct stands for one element: the macro that writes both directions from one list of fields.

use crate::model::fragment::Fragment;
use crate::model::gaps::Gaps;
use crate::model::pull::{Pull, Stop};
use crate::model::raw::Extra;
use crate::model::value::Value;

/// Reads one child element into its field.
pub(crate) type ReadChild<E> = fn(&mut E, &mut Pull<'_, '_>) -> Result<(), Stop>;

/// An element that has a struct of its own.
pub(crate) trait Element: Default {
    /// Whether 2.03 allows attributes of other namespaces on it; almost everywhere it does.
    const IS_OPEN: bool;

    /// Whether it holds text.
    const HOLDS_TEXT: bool;

    /// Takes in the attribute; `None`: there is no such attribute; `Some(kind)`: it is no such kind of value.
    fn set_attribute(&mut self, name: &str, value: &str) -> Option<Result<(), &'static str>>;

    /// Takes in the text; the error is the kind of value it is not.
    fn set_text(&mut self, text: String) -> Result<(), &'static str>;

    /// The way to read a child of this name; `None`: there is no such child.
    fn child(name: &str) -> Option<ReadChild<Self>>;

    /// What has no field.
    fn extra(&self) -> &Extra;

    /// What has no field.
    fn extra_mut(&mut self) -> &mut Extra;

    fn write_attributes(&self, out: &mut Fragment<'_>);

    /// Text and children in the order of 2.03.
    fn write_content(&self, out: &mut Fragment<'_>);

    /// Finds what 2.03 asks for and what is not there, or means nothing.
    fn find_gaps(&self, gaps: &mut Gaps<'_>);
}

/// One child or many.
pub(crate) trait Slot<E> {
    /// Makes room for one more, to be filled in; `None` where there is one already and no more may be.
    fn make_room(&mut self) -> Option<&mut E>;

    fn each<'a>(&'a self) -> impl Iterator<Item = &'a E>
    where
        E: 'a;
}

impl<E: Default> Slot<E> for Option<E> {
    fn make_room(&mut self) -> Option<&mut E> {
        match self {
            Some(_) => None,
            None => Some(self.insert(E::default())),
        }
    }

    fn each<'a>(&'a self) -> impl Iterator<Item = &'a E>
    where
        E: 'a,
    {
        self.iter()
    }
}

impl<E: Default> Slot<E> for Vec<E> {
    fn make_room(&mut self) -> Option<&mut E> {
        if self.is_empty() {
            // Most stay alone, and need no room for more.
            self.reserve_exact(1);
        }
        self.push(E::default());
        self.last_mut()
    }

    fn each<'a>(&'a self) -> impl Iterator<Item = &'a E>
    where
        E: 'a,
    {
        self.iter()
    }
}

pub(crate) fn set<V: Value>(field: &mut Option<V>, text: &str) -> Result<(), &'static str> {
    let value = V::from_text(text);
    let valid = value.is_valid();
    *field = Some(value);
    if valid { Ok(()) } else { Err(V::KIND) }
}

pub(crate) fn set_text<V: Value>(field: &mut V, text: String) -> Result<(), &'static str> {
    *field = V::from_string(text);
    if field.is_valid() {
        Ok(())
    } else {
        Err(V::KIND)
    }
}

/// Defines the struct of an element: attributes, then text, then children in the order in which 2.03 has them.
macro_rules! element {
    (
        $(#[$meta:meta])*
        $name:ident $($closed:ident)? {
            $( attributes { $( $(#[$ameta:meta])* $afield:ident : $atype:ty = $aname:literal $($arule:ident)*, )* } )?
            $( text { $(#[$tmeta:meta])* $tfield:ident : $ttype:ty $( = $trule:ident )? } )?
            $( children { $( $(#[$cmeta:meta])* $cfield:ident : $cslot:ident < $ctype:ty > = $cname:literal $($creq:ident)?, )* } )?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name {
            $( $( $(#[$ameta])* pub $afield: Option<$atype>, )* )?
            $( $(#[$tmeta])* pub $tfield: $ttype, )?
            $( $( $(#[$cmeta])* pub $cfield: $cslot<$ctype>, )* )?
            /// What 2.03 does not name here.
            pub extra: $crate::model::Extra,
        }

        impl $crate::model::element::Element for $name {
            const IS_OPEN: bool = element!(@open $($closed)?);
            const HOLDS_TEXT: bool = false $( || { const _: &str = stringify!($tfield); true } )?;

            #[allow(clippy::allow_attributes, unused_variables, reason = "elements without attributes, text or children")]
            fn set_attribute(&mut self, name: &str, value: &str) -> Option<Result<(), &'static str>> {
                match name {
                    $( $( $aname => Some($crate::model::element::set(&mut self.$afield, value)), )* )?
                    _ => None,
                }
            }

            #[allow(clippy::allow_attributes, unused_variables, reason = "elements without attributes, text or children")]
            fn set_text(&mut self, text: String) -> Result<(), &'static str> {
                $( return $crate::model::element::set_text(&mut self.$tfield, text); )?
                #[allow(clippy::allow_attributes, unreachable_code, reason = "elements that hold text have returned")]
                Ok(())
            }

            fn child(name: &str) -> Option<$crate::model::element::ReadChild<Self>> {
                match name {
                    $( $( $cname => Some(|this, pull| pull.child(&mut this.$cfield, &mut this.extra)), )* )?
                    _ => None,
                }
            }

            fn extra(&self) -> &$crate::model::Extra {
                &self.extra
            }

            fn extra_mut(&mut self) -> &mut $crate::model::Extra {
                &mut self.extra
            }

            #[allow(clippy::allow_attributes, unused_variables, reason = "elements without attributes, text or children")]
            fn write_attributes(&self, out: &mut $crate::model::fragment::Fragment<'_>) {
                $( $( out.attribute($aname, self.$afield.as_ref()); )* )?
            }

            #[allow(clippy::allow_attributes, unused_variables, reason = "elements without attributes, text or children")]
            fn write_content(&self, out: &mut $crate::model::fragment::Fragment<'_>) {
                $( out.value(&self.$tfield); )?
                $( $( out.children($cname, &self.$cfield); )* )?
            }

            #[allow(clippy::allow_attributes, unused_variables, reason = "elements without attributes, text or children")]
            fn find_gaps(&self, gaps: &mut $crate::model::gaps::Gaps<'_>) {
                $( $( gaps.attribute($aname, self.$afield.as_ref(), element!(@rules $($arule)*)); )* )?
                $( gaps.text(&self.$tfield, element!(@rules $($trule)?)); )?
                $( $( gaps.children($cname, &self.$cfield, element!(@required $($creq)?)); )* )?
            }
        }
    };
    (@rules $($rule:ident)*) => { $crate::model::gaps::Rules::NONE $( .$rule() )* };
    (@open) => { true };
    (@open closed) => { false };
    (@required) => { false };
    (@required required) => { true };
}
pub(crate) use element;
