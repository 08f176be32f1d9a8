//! Futures that run in a scope.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

use super::Observe;
use super::body::MeasuredBody;
use super::job::Job;
use crate::Scope;
use crate::scope::Entered;

pin_project! {
    /// The future of a measured request; made by [`Measured`](super::Measured).
    pub struct MeasuredFuture<F, O: Observe> {
        #[pin]
        inner: Option<F>,
        job: Option<Box<Job<O>>>,
    }

    impl<F, O: Observe> PinnedDrop for MeasuredFuture<F, O> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let (Some(job), true) = (this.job, this.inner.is_some()) {
                // What the work frees at its end is its own.
                let _entered = job.enter();
                this.inner.set(None);
            }
        }
    }
}

impl<F, O: Observe> MeasuredFuture<F, O> {
    pub(super) fn new(inner: F, job: Option<Box<Job<O>>>) -> Self {
        Self {
            inner: Some(inner),
            job,
        }
    }
}

impl<F, O, R, E> Future for MeasuredFuture<F, O>
where
    F: Future<Output = Result<Response<R>, E>>,
    O: Observe,
{
    type Output = Result<Response<MeasuredBody<R, O>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut poll = |cx: &mut Context<'_>| {
            let future = this.inner.as_mut().as_pin_mut();
            let result = ready!(future.expect("not polled again after its end").poll(cx));
            this.inner.set(None);
            Poll::Ready(result)
        };
        let Some(job) = this.job.as_mut() else {
            let response = ready!(poll(cx))?;
            return Poll::Ready(Ok(response.map(|body| MeasuredBody::new(body, None))));
        };
        let polled = {
            let _entered = job.enter();
            poll(cx)
        };
        let mut response = ready!(polled)?;
        job.head(response.status(), response.headers_mut());
        let job = this.job.take();
        Poll::Ready(Ok(response.map(|body| MeasuredBody::new(body, job))))
    }
}

impl<F, O: Observe> fmt::Debug for MeasuredFuture<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// A future that counts for a [`Scope`]; made by [`Scope::future`] and [`Scope::carry_future`].
    pub struct InScope<F> {
        #[pin]
        inner: Option<F>,
        scope: Option<Scope>,
    }

    impl<F> PinnedDrop for InScope<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = Entered::new(this.scope);
            this.inner.set(None);
        }
    }
}

impl<F: Future> Future for InScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _entered = Entered::new(this.scope);
        let future = this.inner.as_mut().as_pin_mut();
        let output = ready!(future.expect("not polled again after its end").poll(cx));
        this.inner.set(None);
        Poll::Ready(output)
    }
}

impl<F> fmt::Debug for InScope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InScope").finish_non_exhaustive()
    }
}

impl Scope {
    /// Makes each poll of `future` count for this scope.
    pub fn future<F: Future>(&self, future: F) -> InScope<F> {
        InScope {
            inner: Some(future),
            scope: Some(self.clone()),
        }
    }

    /// Makes `future` count for the scope that is current now, whatever task runs it later.
    ///
    /// Outside of any scope it runs as it is.
    pub fn carry_future<F: Future>(future: F) -> InScope<F> {
        InScope {
            inner: Some(future),
            scope: Self::current(),
        }
    }
}
