//! Where: `location` and what it holds.

use crate::model::element::element;
use crate::model::shared::{Coded, Plain, TextBlock};
use crate::model::value::Natural;

element! {
    /// `location`.
    Location {
        attributes {
            /// `@ref`.
            reference: String = "ref",
        }
        children {
            /// `location-reach`.
            reach: Option<Coded> = "location-reach",
            /// `location-id`.
            ids: Vec<LocationId> = "location-id",
            /// Its name.
            name: Option<TextBlock> = "name",
            /// What it is.
            description: Option<TextBlock> = "description",
            /// What is done there.
            activity_description: Option<TextBlock> = "activity-description",
            /// The divisions it lies in.
            administratives: Vec<Administrative> = "administrative",
            /// Where it is on the map.
            point: Option<Point> = "point",
            /// Whether the point is exact.
            exactness: Option<Coded> = "exactness",
            /// `location-class`.
            class: Option<Coded> = "location-class",
            /// `feature-designation`.
            feature: Option<Coded> = "feature-designation",
        }
    }
}

element! {
    /// `location-id`.
    LocationId {
        attributes {
            /// `@code`.
            code: String = "code" required,
            /// `@vocabulary`.
            vocabulary: String = "vocabulary" required,
        }
    }
}

element! {
    /// `administrative`.
    Administrative {
        attributes {
            /// `@code`.
            code: String = "code" required,
            /// `@vocabulary`.
            vocabulary: String = "vocabulary" required,
            /// `@level`.
            level: Natural = "level",
        }
    }
}

element! {
    /// `point`.
    Point {
        attributes {
            /// `@srsName`.
            srs_name: String = "srsName" required,
        }
        children {
            /// `pos`: latitude and longitude with a space between.
            pos: Option<Plain> = "pos" required,
        }
    }
}
