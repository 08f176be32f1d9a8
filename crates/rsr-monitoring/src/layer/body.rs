//! A body whose making counts for its request.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::Observe;
use super::job::Job;

pin_project! {
    /// The body of a measured answer. The observer is told when it is dropped.
    pub struct MeasuredBody<B, O: Observe> {
        #[pin]
        inner: Option<B>,
        job: Option<Box<Job<O>>>,
    }

    impl<B, O: Observe> PinnedDrop for MeasuredBody<B, O> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let (Some(job), true) = (this.job, this.inner.is_some()) {
                // What the body frees at its end is its request's own.
                let _entered = job.enter();
                this.inner.set(None);
            }
        }
    }
}

impl<B, O: Observe> MeasuredBody<B, O> {
    pub(super) fn new(inner: B, job: Option<Box<Job<O>>>) -> Self {
        Self {
            inner: Some(inner),
            job,
        }
    }
}

impl<B: Body, O: Observe> Body for MeasuredBody<B, O> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(job) = this.job else {
            return inner.poll_frame(cx);
        };
        if inner.is_end_stream() {
            job.complete();
            return Poll::Ready(None);
        }
        let (frame, is_last) = {
            let _entered = job.enter();
            let frame = ready!(inner.as_mut().poll_frame(cx));
            let is_last = match &frame {
                None => true,
                Some(Ok(_)) => inner.is_end_stream(),
                Some(Err(_)) => false,
            };
            if is_last {
                // Nothing more will come of it: what it frees belongs to this entry.
                this.inner.set(None);
            }
            (frame, is_last)
        };
        if is_last {
            job.complete();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B, O: Observe> fmt::Debug for MeasuredBody<B, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredBody").finish_non_exhaustive()
    }
}
