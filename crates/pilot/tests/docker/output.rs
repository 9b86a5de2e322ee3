//! The application's output as the engine gets it.

use crate::container::Setup;

/// 1 MiB: every byte value in order (NUL and newline among them), then bytes without any order,
/// long lines and short, the last one without its newline.
fn bytes() -> Vec<u8> {
    let mut data: Vec<u8> = (0..=255).collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    while data.len() < (1 << 20) - 1 {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.push(state.to_le_bytes()[3]);
    }
    data.push(b'.');
    data
}

/// Runs `cat` of these bytes below the init program, and alone.
fn is_transparent(config: &str, application: &[&str]) {
    let data = bytes();
    // The engine's default driver keeps text only.
    let setup = || Setup::isolated().option("--log-driver=local").file("data", &data);
    let (container, attached) = setup().run(config, application);
    assert_eq!(container.exit_code(), 0);
    // Not assert_eq: nobody reads a megabyte.
    assert!(attached.stdout == data, "{}", difference(&attached.stdout, &data));

    // Logs are kept by line, so the engine may change the very end.
    let bare = setup().start_bare("cat", &["/shared/data"]);
    assert_eq!(bare.exit_code(), 0);
    let (kept, kept_bare) = (container.logs().stdout, bare.logs().stdout);
    assert!(kept_bare.starts_with(&data), "{}", difference(&kept_bare, &data));
    assert!(kept == kept_bare, "{}", difference(&kept, &kept_bare));
}

fn difference(seen: &[u8], expected: &[u8]) -> String {
    let same = seen.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| {
        bytes[same.min(bytes.len())..]
            .iter()
            .take(40)
            .copied()
            .collect::<Vec<_>>()
            .escape_ascii()
            .to_string()
    };
    format!(
        "{} bytes instead of {}; from byte {same} on \"{}\" instead of \"{}\"",
        seen.len(),
        expected.len(),
        around(seen),
        around(expected)
    )
}

#[test]
fn a_2x_applications_bytes_pass_unchanged() {
    // Our own lines, and those of hooks, keep to stderr.
    let config = r#"{
      consul: "127.0.0.1:1",
      logging: { level: "DEBUG", output: "stderr" },
      preStart: ["echo", "a line of a hook"],
    }"#;
    is_transparent(config, &["cat", "/shared/data"]);
}

#[test]
fn a_raw_3x_jobs_bytes_pass_unchanged() {
    let config = r#"{
      logging: { level: "DEBUG", output: "stderr" },
      jobs: [
        { name: "app", exec: ["cat", "/shared/data"], logging: { raw: true } },
        { name: "other", exec: ["echo", "a line of another job"] },
      ],
    }"#;
    is_transparent(config, &[]);
}
