//! The attribute macro for cached functions of rsr-cache.
//!
//! What goes in is a function; what comes out is the function behind a cache, the plain one beside it, and two more to
//! reach the cache. Use it as `rsr_cache::cached`, where it is documented with examples: this crate alone compiles to
//! calls of that one.
//!
//! # Limits
//!
//! | bound | default | argument |
//! |---|---|---|
//! | entries | 1,000 | `max_size` |
//! | time an entry lives | for ever | `ttl` |
//! | time a stale value is served during its refresh | none | `stale_for` |
//!
//! # What it does not do
//!
//! It registers nothing: hand `NAME_cache()` to a registry to see it in statistics. It caches no generic functions, as
//! each of their instances would need a cache of its own.
#![forbid(unsafe_code)]

mod expand;
mod options;

use proc_macro::TokenStream;

/// Puts a function or method behind a cache. Documented as `rsr_cache::cached`.
#[proc_macro_attribute]
pub fn cached(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let options = syn::parse_macro_input!(arguments as options::Options);
    let function = syn::parse_macro_input!(item as syn::ItemFn);
    match expand::expand(&options, &function) {
        Ok(tokens) => tokens.into(),
        Err(error) => {
            let error = error.to_compile_error();
            // The plain function stays, so that its callers add no errors of their own.
            quote::quote!(#error #function).into()
        }
    }
}
