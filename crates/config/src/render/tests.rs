use super::*;

fn rendered(text: &str) -> Result<String, String> {
    let environment = [
        ("NAME", "world"),
        ("EMPTY", ""),
        ("HOSTS", "a:b:c"),
        ("COUNT", "3"),
        ("PATTERN", "a-b_c"),
    ];
    let environment = environment.map(|(name, value)| (name.into(), value.into())).into();
    render(text, &environment).map_err(|error| error.to_string())
}

#[test]
fn functions_do_what_the_originals_did() {
    for (template, expected) in [
        ("plain { text }", "plain { text }"),
        ("{{ .NAME }}", "world"),
        ("[{{ .MISSING }}]", "[]"),
        ("{{ if .MISSING }}yes{{ else }}no{{ end }}", "no"),
        (r#"{{ .MISSING | default "none" }}"#, "none"),
        (r#"{{ .EMPTY | default "none" }}"#, "none"),
        (r#"{{ .NAME | default "none" }}"#, "world"),
        ("{{ .MISSING | default 8080 }}", "8080"),
        (r#"{{ range split ":" .HOSTS }}<{{ . }}>{{ end }}"#, "<a><b><c>"),
        (r#"{{ range .MISSING | split ":" }}<{{ . }}>{{ else }}none{{ end }}"#, "none"),
        (r#"{{ .HOSTS | split ":" | join ", " }}"#, "a, b, c"),
        (r#"{{ .HOSTS | split "" | join " " }}"#, "a : b : c"),
        (r#"{{ .HOSTS | replaceAll ":" "-" }}"#, "a-b-c"),
        (r#"{{ .PATTERN | regexReplaceAll "[-_]" "." }}"#, "a.b.c"),
        (r#"{{ .PATTERN | regexReplaceAll "([a-z])-" "${1}${1}" }}"#, "aab_c"),
        (r#"{{ env "NAME" }}[{{ env "MISSING" }}]"#, "world[]"),
        ("{{ range loop 3 }}{{ . }} {{ end }}", "0 1 2 "),
        ("{{ range loop 1 4 }}{{ . }} {{ end }}", "1 2 3 "),
        ("{{ range loop 4 1 }}{{ . }} {{ end }}", "4 3 2 "),
        ("{{ range loop -2 }}{{ . }} {{ end }}", "0 -1 "),
        ("{{ range loop 2 2 }}{{ . }} {{ end }}", ""),
        ("{{ range $i := loop .COUNT }}{{ $i }}{{ end }}", "012"),
    ] {
        assert_eq!(rendered(template).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn what_is_wrong_with_a_template_is_said_with_its_line() {
    for template in [
        "\n{{ if .NAME }}",
        "\n{{ nonsense }}",
        "\n{{ .NAME | regexReplaceAll \"(\" \"\" }}",
        "\n{{ range loop 1 2 3 }}{{ end }}",
        "\n{{ range loop 1000000000 }}{{ end }}",
        "\n{{ range loop \"many\" }}{{ end }}",
        "\n{{ .NAME | join \",\" }}",
    ] {
        let message = rendered(template).expect_err(template);
        assert!(message.starts_with("line 2: "), "{template:?}: {message}");
        assert!(!message.contains("template: "), "{template:?}: {message}");
    }
}

#[test]
fn what_a_template_can_multiply_ends_with_an_error() {
    let double = |seed: &str, times: usize| {
        format!("{{{{$x := {seed:?}}}}}{}", r#"{{$x = printf "%s%s" $x $x}}"#.repeat(times))
    };
    let long = double("0123456789abcdef", 16);
    let short = double("0123456789abcdef", 8);
    for (template, message) in [
        (double("0123456789abcdef", 40), "16777216 bytes in all"),
        // A text between all characters of itself.
        (
            format!("{long}{{{{replaceAll \"\" $x $x}}}}"),
            "makes too much text: more than 16777216 bytes",
        ),
        (
            format!("{short}{{{{split \"\" $x | join (print $x $x $x $x)}}}}"),
            "makes too much text: more than 16777216 bytes",
        ),
        (
            format!("{long}{{{{regexReplaceAll \"\" $x $x}}}}"),
            "makes too much text: more than 16777216 bytes",
        ),
        // One match, put in very often.
        (
            format!("{long}{{{{regexReplaceAll \".*\" {:?} $x}}}}", "$0".repeat(100)),
            "makes too much text: more than 16777216 bytes",
        ),
        (format!("{long}{{{{split \"\" $x}}}}"), "want at most 100000 parts"),
        ("{{range loop 100000}}{{$a := loop 100000}}{{end}}".into(), "16777216 bytes in all"),
        ("{{loop -9223372036854775808 9223372036854775807}}".into(), "want at most 100000 numbers"),
        ("{{range 99999}}x y z x y z{{end}}".into(), "too much output: more than 1048576 bytes"),
        ("{{range 999999999}}{{end}}".into(), "more than 4000000 steps"),
        // Patterns that are large when compiled.
        (r#"{{regexReplaceAll "((a|b){0,90}){0,90}" "" ""}}"#.into(), "size limit"),
    ] {
        let error = rendered(&template).expect_err(&template);
        assert!(error.ends_with(message), "{template}: {error}");
    }
}

#[test]
fn what_is_large_but_sane_is_rendered() {
    let value = "-----BEGIN CERTIFICATE-----\n".repeat(1000);
    let environment = [("PEM".to_owned(), value.clone())].into();
    let all =
        r#"{{ .PEM | split "\n" | join "\n" | replaceAll "\n" "|" | regexReplaceAll "[|]" "\n" }}"#;
    assert_eq!(render(all, &environment).as_deref(), Ok(value.trim()));
    let text =
        render("{{ range $i := loop 100000 }}{{ $i }}{{ if $i }},{{ end }}{{ end }}", &environment);
    assert_eq!(text.map(|text| text.len()), Ok(588_889));
}
