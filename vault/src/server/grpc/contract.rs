//! How a service answers the calls of its contract: each by a method of its own.

/// Each call of the contract, and the method that answers it. What was permitted and was not done is an entry first.
macro_rules! contract {
    (
        $service:ident {
            $($call:ident($request:ident) -> $response:ident = $act:ident;)+
        }
    ) => {
        #[tonic::async_trait]
        impl Contract for $service {
            $(async fn $call(
                &self,
                request: tonic::Request<$request>,
            ) -> Result<tonic::Response<$response>, tonic::Status> {
                let ticket = super::ticket(&request)?;
                let answer = self.$act(&ticket, request.into_inner()).await;
                let closed = $crate::server::corridor::closed(&self.vault, &ticket, answer).await;
                closed
                    .map(tonic::Response::new)
                    .map_err(|problem| problem.status())
            })+
        }
    };
}

pub(super) use contract;
