//! Who asks: an API key in `Authorization: Bearer`, its tenant, its scopes.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use certus_protocol::ids::Tenant;

use super::Problem;
use crate::keys::{Keys, Scope};

/// A caller whose key has the scope `S`.
pub(super) struct Caller<S: Needs> {
    /// The key's tenant: the only place that a tenant comes from.
    pub(super) tenant: Tenant,
    scope: std::marker::PhantomData<S>,
}

/// Names a scope as a type.
pub(super) trait Needs {
    const SCOPE: Scope;
}

macro_rules! scopes {
    ($($name:ident => $scope:ident),*) => {
        $(
            pub(super) struct $name;
            impl Needs for $name {
                const SCOPE: Scope = Scope::$scope;
            }
        )*
    };
}

scopes!(MaySearch => Search, MayReadFindings => Findings, MayDecide => Quarantine, MayAdminister => Admin);

impl<S: Needs, State: Send + Sync> FromRequestParts<State> for Caller<S>
where
    Keys: FromRef<State>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let unknown =
            || Problem::new(StatusCode::UNAUTHORIZED, "an API key is needed: Authorization: Bearer certus_…");
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let text = given.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(unknown)?;
        let key =
            Keys::from_ref(state).check(text.trim()).await.map_err(|error| Problem::internal(&error))?;
        let key = key.ok_or_else(unknown)?;
        if !key.scopes.contains(&S::SCOPE) {
            let detail = format!("this key does not have the scope {}", S::SCOPE.as_str());
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        let tenant = key.tenant.parse().map_err(|error| Problem::internal(&error))?;
        Ok(Self { tenant, scope: std::marker::PhantomData })
    }
}
