//! One table says what exists. The router, the guards and the API's own description are all made from it, so they cannot
//! disagree.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;

use crate::app::App;
use crate::gate::{self, Guard};

/// How much memory a request may need, which decides who is refused first when memory is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Health, metrics, administration: always answered, in no queue.
    Light,
    /// Bounded by one object.
    Normal,
    /// Reads many rows: refused first.
    Heavy,
}

/// What a request reserves memory for before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draws {
    /// Light routes: answered while nothing is left.
    Nothing,
    /// Its body, and a small answer.
    Little,
    /// A chunk of rows at a time.
    Rows,
    /// A chunk of activities at a time.
    Export,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody; a token shows more.
    Read,
    /// A token, or somebody on this machine.
    LoggedIn,
    /// A token of a scope that writes, or somebody on this machine. What it may change is checked with the change.
    Write,
    /// As for writing, and an administrator.
    Administer,
    /// The admin socket, or the admin listener with a token.
    Admin,
}

/// One parameter of a query or field of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: FieldKind,
    pub(crate) is_required: bool,
    /// What it may be; empty for anything of its kind.
    pub(crate) choices: &'static [&'static str],
    pub(crate) about: &'static str,
}

/// The JSON types of fields.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FieldKind {
    /// A text of several lines.
    Text,
    /// A short text.
    Line,
    /// A short text that is not blank.
    Title,
    Integer,
    /// A whole number from 1 on.
    Count,
    Decimal,
    Flag,
    Date,
    /// A list of whole numbers.
    Integers,
    /// A list of objects.
    List,
}

impl Field {
    pub(crate) const fn new(name: &'static str, kind: FieldKind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            is_required: false,
            choices: &[],
            about,
        }
    }

    pub(crate) const fn one_of(self, choices: &'static [&'static str]) -> Self {
        Self { choices, ..self }
    }

    pub(crate) const fn required(self) -> Self {
        Self {
            is_required: true,
            ..self
        }
    }
}

/// What is known about one route without calling it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) about: &'static str,
    pub(crate) weight: Weight,
    pub(crate) draws: Draws,
    pub(crate) access: Access,
    pub(crate) query: &'static [Field],
    pub(crate) body: &'static [Field],
    pub(crate) status: u16,
    pub(crate) media: &'static str,
}

impl Operation {
    /// A read of JSON, open to all.
    pub(crate) const fn get(path: &'static str, id: &'static str, about: &'static str) -> Self {
        Self {
            method: "GET",
            path,
            id,
            about,
            weight: Weight::Normal,
            draws: Draws::Little,
            access: Access::Read,
            query: &[],
            body: &[],
            status: 200,
            media: "application/json",
        }
    }

    /// A write that answers JSON.
    pub(crate) const fn write(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            method,
            access: Access::Write,
            ..Self::get(path, id, about)
        }
    }

    /// The same for others than the rest of its kind.
    pub(crate) const fn open_to(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// A route of the admin socket.
    pub(crate) const fn admin(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            method,
            access: Access::Admin,
            weight: Weight::Light,
            draws: Draws::Nothing,
            ..Self::get(path, id, about)
        }
    }

    pub(crate) const fn light(self) -> Self {
        Self {
            weight: Weight::Light,
            draws: Draws::Nothing,
            ..self
        }
    }

    pub(crate) const fn heavy(self) -> Self {
        Self {
            weight: Weight::Heavy,
            draws: Draws::Rows,
            ..self
        }
    }

    /// A heavy one that sends activities instead of rows.
    pub(crate) const fn export(self) -> Self {
        Self {
            draws: Draws::Export,
            ..self.heavy()
        }
    }

    pub(crate) const fn query(self, query: &'static [Field]) -> Self {
        Self { query, ..self }
    }

    pub(crate) const fn body(self, body: &'static [Field]) -> Self {
        Self { body, ..self }
    }

    pub(crate) const fn answers(self, status: u16, media: &'static str) -> Self {
        Self {
            status,
            media,
            ..self
        }
    }
}

/// A route: what is known about it, and what answers it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) operation: Operation,
    pub(crate) handler: MethodRouter<App>,
}

/// Makes a router of a table. Each path answers with and without its last slash; an unknown path is a problem too.
pub(crate) fn router(routes: Vec<Route>, app: &App) -> Router {
    let mut router = Router::new();
    for Route { operation, handler } in routes {
        let guard = Guard::new(app.clone(), operation);
        let handler = handler.layer(from_fn_with_state(guard, gate::guard));
        let bare = operation.path.trim_end_matches('/');
        if !bare.is_empty() && bare != operation.path {
            router = router.route(bare, handler.clone());
        }
        router = router.route(operation.path, handler);
    }
    router
        .fallback(gate::no_such_route)
        .method_not_allowed_fallback(gate::no_such_method)
        .with_state(app.clone())
}
