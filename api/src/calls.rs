//! How a client is made of its contract: a type over the generated stub, with one method for each call.

/// A client and its calls. Every call takes its request and, through a gateway, the unit's own proof.
macro_rules! client {
    (
        $(#[$about:meta])*
        $client:ident over $stub:ident {
            $($(#[$doc:meta])* $call:ident($request:ident) -> $response:ident;)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone)]
        pub struct $client {
            stub: $stub<tonic::transport::Channel>,
            timeout: std::time::Duration,
        }

        impl $client {
            /// Prepares the channel; it connects when it is first used, and again when it was lost.
            pub fn new(settings: &$crate::ClientSettings) -> Result<Self, $crate::ClientError> {
                let stub = $stub::new($crate::channel::channel(settings)?)
                    .max_decoding_message_size($crate::channel::RESPONSE_BYTES_MAX);
                Ok(Self { stub, timeout: settings.timeout })
            }

            /// The same client for calls that may take less time, of which the vault is told.
            #[must_use]
            pub fn within(&self, timeout: std::time::Duration) -> Self {
                Self { stub: self.stub.clone(), timeout: timeout.min(self.timeout) }
            }

            $($(#[$doc])*
            pub async fn $call(
                &self,
                request: $request,
                proof: Option<&$crate::UnitProof>,
            ) -> Result<$response, $crate::ClientError> {
                let request = $crate::channel::with_proof(request, proof, self.timeout);
                $crate::channel::answer(self.stub.clone().$call(request).await)
            })+
        }
    };
}

pub(crate) use client;
