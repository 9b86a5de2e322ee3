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
