//! The function behind its cache.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Error, FnArg, ItemFn, Pat, PatType, Receiver, ReceiverKind, Result, ReturnType,
    Safety, Type, parse_quote,
};

use crate::options::Options;

/// The parts of a function that the expansion needs.
struct Parts<'a> {
    options: &'a Options,
    function: &'a ItemFn,
    receiver: Option<&'a Receiver>,
    arguments: Vec<(&'a Ident, &'a Type)>,
    output: Type,
    is_fallible: bool,
}

pub(crate) fn expand(options: &Options, function: &ItemFn) -> Result<TokenStream> {
    Ok(Parts::of(options, function)?.expand())
}

impl<'a> Parts<'a> {
    fn of(options: &'a Options, function: &'a ItemFn) -> Result<Self> {
        let signature = &function.sig;
        if let Some(parameter) = signature.generics.type_params().next() {
            let message = "a cached function cannot be generic: each of its instances would need a cache of its own";
            return Err(Error::new_spanned(parameter, message));
        }
        if let Safety::Unsafe(word) = &signature.safety {
            return Err(Error::new_spanned(
                word,
                "a cached function cannot be unsafe",
            ));
        }
        let mut receiver = None;
        let mut arguments = Vec::new();
        for input in &signature.inputs {
            match input {
                FnArg::Receiver(found) => receiver = Some(found),
                FnArg::Typed(PatType { pat, ty, .. }) => {
                    arguments.push((name_of(pat)?, checked(ty)?));
                }
            }
        }
        if let Some(receiver) = receiver {
            if options.key.is_none() {
                let message = "a cached method needs `key`, a stable identity of `self`, as in `#[cached(key = self.id)]`";
                return Err(Error::new_spanned(receiver, message));
            }
            match &receiver.kind {
                ReceiverKind::Reference(_, _, Some(_)) => {
                    let message =
                        "a cached method cannot take `&mut self`: a hit would leave out the change";
                    return Err(Error::new_spanned(receiver, message));
                }
                ReceiverKind::Value | ReceiverKind::Reference(..) => {}
                _ => {
                    let message = "a cached method takes `self` or `&self`";
                    return Err(Error::new_spanned(receiver, message));
                }
            }
        }
        for skipped in &options.skip {
            if !arguments.iter().any(|(name, _)| *name == skipped) {
                return Err(Error::new_spanned(
                    skipped,
                    format!("there is no argument `{skipped}` to skip"),
                ));
            }
        }
        let output: Type = match &signature.output {
            ReturnType::Default => parse_quote!(()),
            ReturnType::Type(_, output) => (**output).clone(),
        };
        let is_fallible = is_result(&output);
        if let Some((word, _)) = &options.cache_err
            && !is_fallible
        {
            return Err(Error::new_spanned(
                word,
                "`cache_err` is for functions that return a `Result`",
            ));
        }
        Ok(Self {
            options,
            function,
            receiver,
            arguments,
            output,
            is_fallible,
        })
    }

    /// Where the companions live.
    fn scope(&self) -> TokenStream {
        if self.receiver.is_some() || self.options.is_associated {
            quote!(Self::)
        } else {
            TokenStream::new()
        }
    }

    fn companion(&self, suffix: &str) -> Ident {
        format_ident!("{}_{suffix}", self.function.sig.ident)
    }

    fn hidden(&self, suffix: &str) -> Ident {
        format_ident!("__{}_{suffix}", self.function.sig.ident)
    }

    /// The type that the cache holds.
    fn value(&self) -> TokenStream {
        let output = &self.output;
        if self.is_fallible && self.options.cache_err.is_none() {
            quote!(<#output as ::rsr_cache::macro_support::Fallible>::Value)
        } else {
            quote!(#output)
        }
    }

    fn expand(&self) -> TokenStream {
        let plain = self.plain();
        let wrapper = self.wrapper();
        let reach = self.reach();
        let key = self.key();
        quote!(#wrapper #plain #reach #key)
    }

    /// The function as it was written, under another name.
    fn plain(&self) -> TokenStream {
        let mut plain = self.function.clone();
        plain.sig.ident = self.companion("uncached");
        plain
            .attrs
            .retain(|attribute| !attribute.path().is_ident("doc"));
        let doc = format!(
            "Computes [`{}`] without looking into its cache.",
            self.function.sig.ident
        );
        quote!(#[doc = #doc] #plain)
    }

    /// The function of the old name, behind the cache.
    fn wrapper(&self) -> TokenStream {
        let (attributes, visibility) = (&self.function.attrs, &self.function.vis);
        let mut signature = self.function.sig.clone();
        let names: Vec<_> = self.arguments.iter().map(|(name, _)| *name).collect();
        let inputs = signature.inputs.iter_mut();
        let typed = inputs.filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            _ => None,
        });
        for (typed, name) in typed.zip(&names) {
            *typed.pat = parse_quote!(#name);
        }
        let (scope, plain) = (self.scope(), self.companion("uncached"));
        let cache = self.cache();
        let key_of = self.key_of();
        let this = self.receiver.map(|_| quote!(self,));
        let call = quote!(#scope #plain(#this #(#names),*));
        let how = match &self.options.tag {
            Some(tag) => quote!(::rsr_cache::Put::new().tag(#tag)),
            None => quote!(::rsr_cache::Put::new()),
        };
        let passes_errors = self.is_fallible && self.options.cache_err.is_none();
        let is_async = signature.asyncness.is_some();
        let loaded = match (is_async, passes_errors) {
            (false, true) => quote!(cache.get_or_load_with(&key, &how, || #call)),
            (false, false) => quote!(cache.get_or_load_with(&key, &how, || {
                ::core::result::Result::<_, ::core::convert::Infallible>::Ok(#call)
            })),
            (true, true) => quote!(cache.get_or_load_async_with(&key, &how, || #call).await),
            (true, false) => quote!(cache.get_or_load_async_with(&key, &how, || async {
                ::core::result::Result::<_, ::core::convert::Infallible>::Ok(#call.await)
            }).await),
        };
        let span = self.output.span();
        let answer = if passes_errors {
            quote_spanned!(span=> loaded.map_err(::rsr_cache::macro_support::error_of))
        } else {
            quote_spanned!(span=> ::rsr_cache::macro_support::value_of(loaded))
        };
        quote! {
            #(#attributes)*
            #visibility #signature {
                let key = #key_of;
                let how = #how;
                let cache = #cache;
                let loaded = #loaded;
                #answer
            }
        }
    }

    /// The cache, and the removal of one key.
    fn reach(&self) -> TokenStream {
        let visibility = &self.function.vis;
        let cfgs = self.cfgs();
        let (value, cache, key_of) = (self.value(), self.cache(), self.key_of());
        let (reach, invalidate) = (self.companion("cache"), self.companion("invalidate"));
        let inputs = self.receiver.map(|_| quote!(&self,));
        let typed = self.arguments.iter().map(|(name, kind)| {
            if self.options.skip.contains(name) {
                // It takes no part in the key, and so is not asked for.
                TokenStream::new()
            } else {
                quote!(#name: #kind,)
            }
        });
        let lifetimes = &self.function.sig.generics;
        let name = &self.function.sig.ident;
        let doc_reach =
            format!("The cache of [`{name}`], for statistics, a registry, or clearing it.");
        let doc_invalidate = format!(
            "Removes the value that [`{name}`] has cached for these arguments; answers whether there was one."
        );
        quote! {
            #cfgs
            #[doc = #doc_reach]
            #visibility fn #reach() -> &'static ::rsr_cache::Cache<impl ::rsr_cache::Key + use<>, #value> {
                #cache
            }

            #cfgs
            #[doc = #doc_invalidate]
            #visibility fn #invalidate #lifetimes(#inputs #(#typed)*) -> bool {
                let key = #key_of;
                ::core::option::Option::is_some(&(#cache).remove(&key))
            }
        }
    }

    /// The key function, the place of the cache, and its making.
    fn key(&self) -> TokenStream {
        let cfgs = self.cfgs();
        let (key, slot, build) = (
            self.hidden("key"),
            self.hidden("slot"),
            self.hidden("build"),
        );
        let this = self.receiver.map(|_| quote!(__this,));
        let this_type = self.receiver.map(|_| quote!(&Self,));
        let kept: Vec<_> = self.kept().collect();
        let names = kept.iter().map(|(name, _)| name);
        let types = kept.iter().map(|(_, kind)| quote!(&#kind));
        let identity = self.options.key.as_ref().map(|key| {
            let key = rename_self(quote!(#key));
            quote!((#key).to_owned(),)
        });
        let owned = kept.iter().map(|(name, kind)| match kind {
            Type::Reference(reference) => {
                let inner = &reference.elem;
                quote_spanned!(kind.span()=> ::rsr_cache::macro_support::part::<<#inner as ::std::borrow::ToOwned>::Owned>(::std::borrow::ToOwned::to_owned(*#name)))
            }
            _ => quote_spanned!(kind.span()=> ::rsr_cache::macro_support::part::<#kind>(::core::clone::Clone::clone(#name))),
        });
        let value = self.value();
        let settings = self.settings();
        let visibility_note = "Part of the expansion of `cached`.";
        quote! {
            #cfgs
            #[doc(hidden)]
            #[doc = #visibility_note]
            fn #key((#this #(#names,)*): (#this_type #(#types,)*)) -> impl ::rsr_cache::Key + use<> {
                (#identity #(#owned,)*)
            }

            #cfgs
            #[doc(hidden)]
            fn #slot() -> &'static ::rsr_cache::macro_support::Slot {
                static SLOT: ::rsr_cache::macro_support::Slot = ::rsr_cache::macro_support::Slot::new();
                &SLOT
            }

            #cfgs
            #[doc(hidden)]
            fn #build<K: ::rsr_cache::Key>() -> ::rsr_cache::CacheBuilder<K, #value> {
                #settings
            }
        }
    }

    fn settings(&self) -> TokenStream {
        let options = self.options;
        let name = match &options.name {
            Some(name) => quote!(#name),
            None => {
                let name = self.function.sig.ident.to_string();
                quote!(::core::concat!(::core::module_path!(), "::", #name))
            }
        };
        let time = |ns: u64| quote!(::core::time::Duration::from_nanos(#ns));
        let ttl = options.ttl_ns.map(time).map(|ttl| quote!(.ttl(#ttl)));
        let max_size = options
            .max_size
            .as_ref()
            .map(|size| quote!(.max_entries(#size)));
        let stale_for = options
            .stale_for_ns
            .map(time)
            .map(|time| quote!(.stale_for(#time)));
        let negative = options.cache_err.as_ref().map(|(_, ttl)| {
            let ttl = match ttl.or(options.ttl_ns) {
                Some(ttl) => time(ttl),
                None => quote!(::core::time::Duration::MAX),
            };
            quote!(.negative(::core::result::Result::is_err, #ttl))
        });
        quote!(::rsr_cache::Cache::builder(#name) #max_size #ttl #stale_for #negative)
    }

    /// The expression of the cache, with the key's type inferred from the key function.
    fn cache(&self) -> TokenStream {
        let scope = self.scope();
        let (key, slot, build) = (
            self.hidden("key"),
            self.hidden("slot"),
            self.hidden("build"),
        );
        quote!(::rsr_cache::macro_support::Slot::cache(#scope #slot(), #scope #key, #scope #build))
    }

    fn key_of(&self) -> TokenStream {
        let (scope, key) = (self.scope(), self.hidden("key"));
        let this = self.receiver.map(|receiver| {
            if matches!(receiver.kind, ReceiverKind::Reference(..)) {
                quote!(self,)
            } else {
                quote!(&self,)
            }
        });
        let names = self.kept().map(|(name, _)| name);
        quote!(#scope #key((#this #(&#names,)*)))
    }

    /// The arguments that are part of the key.
    fn kept(&self) -> impl Iterator<Item = (&'a Ident, &'a Type)> {
        let skip = &self.options.skip;
        let arguments = self.arguments.iter().copied();
        arguments.filter(move |(name, _)| !skip.contains(name))
    }

    fn cfgs(&self) -> TokenStream {
        let is_cfg = |attribute: &&Attribute| attribute.path().is_ident("cfg");
        let cfgs = self.function.attrs.iter().filter(is_cfg);
        quote!(#(#cfgs)*)
    }
}

fn name_of(pattern: &Pat) -> Result<&Ident> {
    match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => Ok(&name.ident),
        _ => Err(Error::new_spanned(
            pattern,
            "an argument of a cached function is a plain name",
        )),
    }
}

fn checked(kind: &Type) -> Result<&Type> {
    match kind {
        Type::ImplTrait(_) => {
            let message = "a cached function cannot be generic: each of its instances would need a cache of its own";
            Err(Error::new_spanned(kind, message))
        }
        Type::Reference(reference) if reference.mutability.is_some() => {
            let message = "a cached function cannot take `&mut`: a hit would leave out the change";
            Err(Error::new_spanned(kind, message))
        }
        _ => Ok(kind),
    }
}

fn is_result(output: &Type) -> bool {
    let Type::Path(path) = output else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|segment| segment.ident == "Result")
}

/// The same tokens with `self` under a name that a plain function may use.
fn rename_self(tokens: TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Ident(word) if word == "self" => {
                TokenTree::Ident(Ident::new("__this", word.span()))
            }
            TokenTree::Group(group) => {
                let mut renamed = Group::new(group.delimiter(), rename_self(group.stream()));
                renamed.set_span(group.span());
                TokenTree::Group(renamed)
            }
            other => other,
        })
        .collect()
}
