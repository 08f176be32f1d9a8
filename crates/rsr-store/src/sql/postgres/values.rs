//! Parameters and columns in the binary forms of the types that the server says they have.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::numeric;
use crate::error::Error;
use crate::sql::{Root, Row, Value};

type Boxed = Box<dyn StdError + Sync + Send>;

/// A parameter, written as the type that the statement has in its place.
#[derive(Debug)]
pub(super) struct Param<'a>(pub(super) Value<'a>);

impl ToSql for Param<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        match (self.0, kind) {
            (Value::Null | Value::OwnRoot, _) => return Ok(IsNull::Yes),
            (Value::Int(value) | Value::Root(Root(value)), &Type::INT8) => out.put_i64(value),
            (Value::Hundredths(value), &Type::NUMERIC) => numeric::write(value, out),
            (Value::Text(value), &Type::TEXT | &Type::JSON) => out.put_slice(value.as_bytes()),
            (Value::Text(value), &Type::INT8_ARRAY) => return ids(value)?.to_sql(kind, out),
            (Value::Roots(roots), &Type::INT8_ARRAY) => {
                return ids(roots.list())?.to_sql(kind, out);
            }
            (Value::Blob(value), &Type::BYTEA) => out.put_slice(value),
            (value, kind) => return Err(format!("{value:?} stands where a {kind} does").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The ids of a list that [`id_list`](crate::sql::id_list) made.
fn ids(list: &str) -> Result<Vec<i64>, Boxed> {
    let numbers = list.trim_matches(['[', ']']).split(',');
    let numbers = numbers.filter(|number| !number.is_empty());
    Ok(numbers.map(str::parse).collect::<Result<_, _>>()?)
}

/// A column as it came.
struct Raw<'a> {
    kind: Type,
    bytes: &'a [u8],
}

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(kind: &Type, bytes: &'a [u8]) -> Result<Self, Boxed> {
        Ok(Self {
            kind: kind.clone(),
            bytes,
        })
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }
}

impl<'a> Raw<'a> {
    fn int(&self) -> Option<i64> {
        match self.kind {
            Type::INT8 => self.bytes.try_into().ok().map(i64::from_be_bytes),
            Type::INT4 => self
                .bytes
                .try_into()
                .ok()
                .map(i32::from_be_bytes)
                .map(Into::into),
            Type::BOOL => self.bytes.first().map(|byte| i64::from(*byte != 0)),
            Type::NUMERIC => numeric::read(self.bytes).and_then(|value| value.try_into().ok()),
            _ => None,
        }
    }

    fn text(&self) -> Option<&'a str> {
        match self.kind {
            Type::TEXT | Type::NAME | Type::VARCHAR => std::str::from_utf8(self.bytes).ok(),
            _ => None,
        }
    }

    fn hundredths(&self) -> Option<i128> {
        match self.kind {
            Type::NUMERIC => numeric::read(self.bytes),
            _ => self.int().map(i128::from),
        }
    }
}

/// A row of a statement.
pub(super) struct PostgresRow<'a> {
    pub(super) row: &'a postgres::Row,
    pub(super) sql: &'a str,
}

impl<'a> PostgresRow<'a> {
    fn get<T>(
        &self,
        column: usize,
        read: impl FnOnce(&Raw<'a>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let raw: Option<Raw<'a>> = self.row.try_get(column).map_err(|error| Error::Statement {
            sql: self.sql.to_owned(),
            source: Box::new(error),
        })?;
        let Some(raw) = raw else {
            return Ok(None);
        };
        read(&raw).map(Some).ok_or_else(|| Error::Corrupt {
            reason: format!("column {column} of {:?} holds a {}", self.sql, raw.kind),
        })
    }
}

impl Row for PostgresRow<'_> {
    fn opt_int(&self, column: usize) -> Result<Option<i64>, Error> {
        self.get(column, Raw::int)
    }

    fn opt_text(&self, column: usize) -> Result<Option<&str>, Error> {
        self.get(column, Raw::text)
    }

    fn opt_blob(&self, column: usize) -> Result<Option<&[u8]>, Error> {
        self.get(column, |raw| (raw.kind == Type::BYTEA).then_some(raw.bytes))
    }

    fn value(&self, column: usize) -> Result<Value<'_>, Error> {
        let value = self.get(column, |raw| match raw.kind {
            Type::NUMERIC => raw.hundredths().map(Value::Hundredths),
            Type::BYTEA => Some(Value::Blob(raw.bytes)),
            _ => raw
                .int()
                .map(Value::Int)
                .or_else(|| raw.text().map(Value::Text)),
        })?;
        Ok(value.unwrap_or(Value::Null))
    }

    fn opt_hundredths(&self, column: usize) -> Result<Option<i128>, Error> {
        self.get(column, Raw::hundredths)
    }
}
