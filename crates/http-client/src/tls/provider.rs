//! The cryptography of our TLS: that of rustls on ring, without what no server is without.
//!
//! Every server has AES-GCM: TLS 1.3 demands TLS_AES_128_GCM_SHA256 of it (RFC 8446, 9.1), and with
//! TLS 1.2 the Go programs that catalogs are have never been without it. ChaCha20-Poly1305 is faster
//! only on processors without instructions for AES, and costs 55 kB of the static program.
//!
//! Keys are agreed on over P-256, which TLS 1.3 demands of every server as well, or P-384; X25519 it
//! only recommends. With it go client certificates with Ed25519 keys, whose signatures are made by
//! the same 43 kB; servers' Ed25519 certificates are verified all the same.
//!
//! What is not named here is not linked, so the whole provider is put together from its parts.

use std::sync::Arc;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::ring::{cipher_suite as suite, kx_group, sign};
use rustls::crypto::{
    CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, SupportedKxGroup,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{SignatureScheme, SupportedCipherSuite};
use webpki::ring as algorithm;

/// In the order of preference.
const SUITES: [SupportedCipherSuite; 6] = [
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// On what keys are agreed, in the order of preference.
const GROUPS: [&dyn SupportedKxGroup; 2] = [kx_group::SECP256R1, kx_group::SECP384R1];

/// Which algorithms of certificates' keys each scheme of a handshake's signature may come from. With
/// TLS 1.2 the curve is not bound to the digest, hence two for ECDSA (RFC 8422, 5.1.1).
const SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: webpki::ALL_VERIFICATION_ALGS,
    mapping: &[
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            &[algorithm::ECDSA_P384_SHA384, algorithm::ECDSA_P256_SHA384],
        ),
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            &[algorithm::ECDSA_P256_SHA256, algorithm::ECDSA_P384_SHA256],
        ),
        (SignatureScheme::ED25519, &[algorithm::ED25519]),
        (SignatureScheme::RSA_PSS_SHA512, &[algorithm::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA384, &[algorithm::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA256, &[algorithm::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[algorithm::RSA_PKCS1_2048_8192_SHA512]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[algorithm::RSA_PKCS1_2048_8192_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[algorithm::RSA_PKCS1_2048_8192_SHA256]),
    ],
};

/// What a client's connections are secured with.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: SUITES.to_vec(),
        kx_groups: GROUPS.to_vec(),
        signature_verification_algorithms: SIGNATURES,
        secure_random: &Ring,
        key_provider: &Ring,
    }
}

/// Why a private key is not taken.
const NEITHER: &str = "want an RSA key, or an ECDSA key on P-256 or P-384";

/// Random numbers of the kernel, and keys from files.
#[derive(Debug)]
struct Ring;

impl SecureRandom for Ring {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        use ring::rand::{SecureRandom as _, SystemRandom};
        SystemRandom::new().fill(buffer).map_err(|_| GetRandomFailed)
    }
}

impl KeyProvider for Ring {
    fn load_private_key(
        &self,
        key: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        if let Ok(key) = sign::RsaSigningKey::new(&key) {
            return Ok(Arc::new(key));
        }
        sign::any_ecdsa_type(&key).map_err(|_| rustls::Error::General(NEITHER.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::ring::default_provider;

    use super::*;

    /// Rustls may learn of more: then it is for us to decide.
    #[test]
    fn only_chacha20_and_x25519_are_left_out() {
        let (theirs, ours) = (default_provider(), provider());
        let suites = |provider: &CryptoProvider| -> Vec<_> {
            let names = provider.cipher_suites.iter().map(|suite| format!("{:?}", suite.suite()));
            names.filter(|name| !name.contains("CHACHA20")).collect()
        };
        assert_eq!(suites(&ours), suites(&theirs));
        assert_eq!(ours.cipher_suites.len(), 6);
        let groups = |provider: &CryptoProvider| -> Vec<_> {
            let names = provider.kx_groups.iter().map(|group| format!("{:?}", group.name()));
            names.filter(|name| name != "X25519").collect()
        };
        assert_eq!(groups(&ours), groups(&theirs));
        assert_eq!(ours.kx_groups.len(), 2);
        let schemes = |provider: &CryptoProvider| {
            let algorithms = provider.signature_verification_algorithms;
            let mapped = algorithms.mapping.iter().map(|(scheme, from)| (*scheme, from.len()));
            let ids = |algorithm: &&dyn rustls::pki_types::SignatureVerificationAlgorithm| {
                (algorithm.public_key_alg_id(), algorithm.signature_alg_id())
            };
            let mut all: Vec<_> = algorithms.all.iter().map(ids).collect();
            all.sort_unstable_by_key(|ids| format!("{ids:?}"));
            // Some differ in nothing but the lengths of keys.
            all.dedup();
            (algorithms.supported_schemes(), mapped.collect::<Vec<_>>(), all)
        };
        assert_eq!(schemes(&ours), schemes(&theirs));
    }

    /// In PKCS #8 (RFC 8410, 7): a header, then the 32 bytes of the key.
    #[test]
    fn an_ed25519_key_is_refused_with_what_is_wanted() {
        let head = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        let bytes = [head.as_slice(), &[7; 32]].concat();
        let key = || PrivateKeyDer::Pkcs8(bytes.clone().into());
        assert!(default_provider().key_provider.load_private_key(key()).is_ok());
        let refused = Ring.load_private_key(key()).unwrap_err();
        assert_eq!(refused.to_string(), format!("unexpected error: {NEITHER}"));
    }
}
