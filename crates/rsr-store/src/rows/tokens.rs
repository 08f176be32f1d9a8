//! Tokens: what programs show instead of a password.

use std::fmt::{self, Write as _};

use rsr_base::UserId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What a token may be used for. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenScope {
    /// Seeing what its user may see.
    Read,
    /// Changing what its user may change.
    Write,
    /// The administration, where its user is an administrator.
    Admin,
}

impl TokenScope {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The word that stands for it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The scope a word stands for.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.code() == code)
    }
}

/// A token to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Whose rights it carries.
    pub user: UserId,
    /// What logs call it; one of a user's valid tokens has a name.
    pub name: String,
    /// What it may be used for.
    pub scope: TokenScope,
    /// From when on it is refused, in milliseconds since 1970; `None` for never.
    pub expires_ms: Option<i64>,
}

/// A stored token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenRow {
    /// Names it.
    pub id: i64,
    /// Whose it is.
    pub user: UserId,
    /// Their name.
    pub user_name: String,
    /// What logs call it.
    pub name: String,
    /// What it may be used for.
    pub scope: TokenScope,
    /// When it was made.
    pub created_ms: i64,
    /// From when on it is refused.
    pub expires_ms: Option<i64>,
    /// When it was taken back.
    pub revoked_ms: Option<i64>,
}

/// Who showed a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenHolder {
    /// The token.
    pub token: i64,
    /// What logs call the token.
    pub name: String,
    /// Its user.
    pub user: UserId,
    /// Whether the user sees and may change everything.
    pub is_admin: bool,
    /// What the token may be used for.
    pub scope: TokenScope,
}

impl TokenHolder {
    /// The holder of some token of this scope, who is no administrator.
    #[must_use]
    pub fn of(user: UserId, scope: TokenScope) -> Self {
        Self {
            token: 0,
            name: String::new(),
            user,
            is_admin: false,
            scope,
        }
    }
}

/// A token's own text, told once. It carries 244 random bits, half of which salt the other half, so a plain digest of it
/// can be neither guessed nor looked up in a table.
#[derive(Clone)]
pub struct TokenSecret(String);

impl TokenSecret {
    pub(crate) fn make() -> Self {
        let mut text = String::from("rsr_");
        for part in [Uuid::new_v4(), Uuid::new_v4()] {
            write!(text, "{}", part.simple()).expect("a String takes whatever is written to it");
        }
        Self(text)
    }

    /// The text to hand over.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        Self::digest_of(self.0.as_bytes())
    }

    pub(crate) fn digest_of(text: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"rsr token\0");
        hash.update(text);
        hash.finalize().into()
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(***)")
    }
}
