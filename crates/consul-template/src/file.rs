//! Settings in files: HCL, or JSON if the first character is a brace.

use std::{
    fs,
    path::{Path, PathBuf},
};

use config::json5;

use crate::{
    field, hcl,
    settings::{
        Command, ConsulSettings, EnvironmentSettings, ExecSettings, Settings, TemplateSettings,
        TlsSettings,
    },
    stanza::{Report, Setting, Stanza},
    value,
};

/// A larger file is no settings but a slip (`/dev/zero`).
const LONGEST: u64 = 4 << 20;

/// Of Vault and Nomad, of which only the absence is spoken here.
const OUT_OF_SCOPE: &str = "is not spoken here: want Consul or etcd, and the stanza left out";

/// Settings of files that were read, and what is legal there but does nothing.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    pub(crate) warnings: Vec<String>,
}

/// Reads files and folders of files, each later one laid over those before.
///
/// # Errors
/// Everything that is wrong with them.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Loaded, Vec<String>> {
    let mut loaded = Loaded::default();
    let mut problems = Vec::new();
    for path in paths {
        let files = match files(path) {
            Ok(files) => files,
            Err(error) => {
                problems.push(format!("{}: cannot be read: {error}", path.display()));
                continue;
            }
        };
        for file in files {
            match text(&file) {
                Ok(text) => {
                    let read = read(&file, &text);
                    problems.extend(read.0);
                    loaded.settings.merge(read.1.settings);
                    loaded.warnings.extend(read.1.warnings);
                }
                Err(error) => problems.push(format!("{}: {error}", file.display())),
            }
        }
    }
    if problems.is_empty() { Ok(loaded) } else { Err(problems) }
}

/// The file itself, or those in a folder and the folders below, by their names. Links within a
/// folder are not followed: mounted configuration has every file twice otherwise.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        names.insert(names.partition_point(|before| *before < name), name);
    }
    let mut found = Vec::new();
    for path in names.iter().map(|name| path.join(name)) {
        let kind = fs::symlink_metadata(&path)?.file_type();
        if kind.is_dir() {
            found.extend(files(&path)?);
        } else if kind.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

fn text(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map(|file| file.len());
    if size.is_ok_and(|size| size > LONGEST) {
        return Err(format!("is larger than {} MB: want a file of settings", LONGEST >> 20));
    }
    let bytes = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "is not UTF-8: want a text in HCL or JSON".to_owned())
}

/// Reads one file: what is wrong, and what it says.
pub(crate) fn read(path: &Path, text: &str) -> (Vec<String>, Loaded) {
    let report = Report::new(path.display().to_string(), text);
    let node = if text.trim_start().starts_with('{') {
        json5::parse(text).map_err(|error| report.problem(error.span.start, error.to_string())).ok()
    } else {
        let (node, errors) = hcl::parse(text);
        for error in errors {
            report.problem(error.offset, error.message);
        }
        Some(node)
    };
    let root = node.as_ref().and_then(|node| Stanza::root(&report, node));
    let settings = root.map(settings).unwrap_or_default();
    let (problems, warnings) = report.finish();
    (problems, Loaded { settings, warnings })
}

fn settings(mut root: Stanza<'_>) -> Settings {
    let mut settings = Settings::default();
    root.read(field::SETTINGS, &mut settings);
    settings.wait = wait(&mut root);
    settings.log_level = root.take("log_level").and_then(|level| level.read(value::level));
    for delimiters in root.stanzas("default_delimiters") {
        (settings.left_delimiter, settings.right_delimiter) = delimiters_of(delimiters);
    }
    for stanza in root.stanzas("ssl") {
        settings.consul.tls.merge(tls(stanza));
    }
    settings.consul.login = root.stanzas("auth").into_iter().filter_map(login).last();
    for setting in root.all("consul") {
        if setting.is_stanza() {
            for stanza in setting.stanzas() {
                settings.consul.merge(consul(stanza));
            }
        } else if let Some(address) = setting.some_text() {
            settings.consul.address = Some(address);
        }
    }
    for setting in root.all("etcd") {
        etcd(&setting, &mut settings);
    }
    for stanza in root.stanzas("template") {
        settings.templates.push(template(stanza));
    }
    for setting in root.all("exec") {
        if setting.is_stanza() {
            for stanza in setting.stanzas() {
                settings.exec.merge(exec(stanza));
            }
        } else if let Some(command) = command(&setting) {
            settings.exec.command = Some(command);
        }
    }
    for name in ["vault", "nomad"] {
        for setting in root.all(name) {
            setting.refuse(OUT_OF_SCOPE);
        }
    }
    let retries = "retries have a back-off of their own, and never end";
    for (name, why) in [
        ("retry", retries),
        ("syslog", "the log goes to stderr"),
        ("log_file", "the log goes to stderr"),
        ("deduplicate", "one blocking query serves all templates of this process"),
        ("telemetry", "there is none"),
        ("dump_signal", "there is nothing to dump"),
        ("block_query_wait", "a blocking query lasts as long as suits the catalog"),
        ("template_error_fatal", "a template that fails ends -once, and else keeps its file"),
        ("err_on_failed_lookup", "a question without an answer is waited for"),
    ] {
        for setting in root.all(name) {
            setting.ignored(why);
        }
    }
    root.finish();
    settings
}

/// `wait`: a stanza, or `MIN[:MAX]`.
fn wait(stanza: &mut Stanza<'_>) -> Option<Option<render::Wait>> {
    let setting = stanza.take("wait")?;
    if !setting.is_stanza() {
        return setting.read(value::wait);
    }
    let mut last = None;
    for mut wait in setting.stanzas() {
        let enabled = wait.take("enabled").and_then(|enabled| enabled.boolean());
        let given = wait.take("min");
        let min = given.as_ref().and_then(|min| min.duration());
        let max = wait.take("max").and_then(|max| max.duration());
        last = match (enabled, min) {
            (Some(false), _) => Some(None),
            (_, Some(min)) => match value::between(min, max) {
                Ok(wait) => Some(wait),
                Err(problem) => {
                    wait.problem(&problem);
                    None
                }
            },
            // What is wrong with it has been said.
            (_, None) if given.is_some() => None,
            (_, None) => {
                wait.problem(
                    "\"min\" is missing: want how long nothing must change, such as \"5s\"",
                );
                None
            }
        };
        wait.finish();
    }
    last
}

fn delimiters_of(mut stanza: Stanza<'_>) -> (Option<String>, Option<String>) {
    let mut text = |key| stanza.take(key).and_then(|text| text.some_text());
    let both = (text("left"), text("right"));
    stanza.finish();
    both
}

fn consul(mut stanza: Stanza<'_>) -> ConsulSettings {
    let mut consul = ConsulSettings::default();
    stanza.read(field::CONSUL, &mut consul);
    for stanza in stanza.stanzas("ssl") {
        consul.tls.merge(tls(stanza));
    }
    consul.login = stanza.stanzas("auth").into_iter().filter_map(login).last();
    for (name, why) in [
        ("retry", "retries have a back-off of their own, and never end"),
        ("transport", "connections are kept as long as they are good"),
    ] {
        for setting in stanza.all(name) {
            setting.ignored(why);
        }
    }
    stanza.finish();
    consul
}

/// `auth`; `None`: it is off.
fn login(mut stanza: Stanza<'_>) -> Option<(String, String)> {
    let enabled = stanza.take("enabled").and_then(|enabled| enabled.boolean());
    let name = stanza.take("username").and_then(|name| name.some_text());
    let password = stanza.take("password").and_then(|password| password.text());
    stanza.finish();
    name.filter(|_| enabled != Some(false)).map(|name| (name, password.unwrap_or_default()))
}

fn tls(mut stanza: Stanza<'_>) -> TlsSettings {
    let mut tls = TlsSettings::default();
    stanza.read(field::TLS, &mut tls);
    stanza.finish();
    tls
}

/// `etcd`: a stanza, or the URLs.
fn etcd(setting: &Setting<'_>, settings: &mut Settings) {
    if !setting.is_stanza() {
        settings.etcd.endpoints = setting.texts();
        return;
    }
    for mut stanza in setting.stanzas() {
        let etcd = &mut settings.etcd;
        match stanza.take("endpoints") {
            Some(endpoints) => etcd.endpoints = endpoints.texts(),
            None => stanza.problem("\"endpoints\" is missing: want URLs like \"http://etcd:2379\""),
        }
        stanza.read(field::ETCD, etcd);
        for stanza in stanza.stanzas("ssl") {
            etcd.tls.merge(tls(stanza));
        }
        stanza.finish();
    }
}

fn template(mut stanza: Stanza<'_>) -> TemplateSettings {
    let mut template = TemplateSettings { wait: wait(&mut stanza), ..TemplateSettings::default() };
    stanza.read(field::TEMPLATE, &mut template);
    template.contents = stanza.take("contents").and_then(|contents| contents.text());
    let mut who = |keys: [&'static str; 2]| {
        let given = keys.into_iter().filter_map(|key| stanza.take(key)).last();
        given.and_then(|name| name.written()).filter(|name| !name.is_empty())
    };
    template.user = who(["uid", "user"]);
    template.group = who(["gid", "group"]);
    template.mode = stanza.take("perms").and_then(|perms| mode(&perms));
    template.command = stanza.take("command").and_then(|setting| command(&setting));
    for exec in stanza.stanzas("exec") {
        template_exec(exec, &mut template);
    }
    for key in ["function_denylist", "function_blacklist"] {
        template.denied.extend(stanza.take(key).map(|names| names.texts()).unwrap_or_default());
    }
    if let Some(setting) = stanza.take("sandbox_path")
        && setting.some_text().is_some()
    {
        setting
            .refuse("cannot be had: want \"file\" in function_denylist, so that no file is read");
    }
    if let Some(setting) = stanza.take("error_fatal") {
        setting.ignored("a template that fails ends -once, and else keeps its file");
    }
    match (&template.source, &template.contents) {
        (Some(_), Some(_)) => {
            stanza.problem("has \"source\" and \"contents\": want one of the two")
        }
        (None, None) => stanza.problem("has no template: want \"source\" or \"contents\""),
        _ => {}
    }
    stanza.finish();
    template
}

/// `exec` of a template, a newer form of its command.
fn template_exec(mut stanza: Stanza<'_>, template: &mut TemplateSettings) {
    if let Some(setting) = stanza.take("command") {
        template.command = command(&setting);
    }
    if let Some(timeout) = stanza.take("timeout").and_then(|timeout| timeout.duration()) {
        template.command_timeout = Some(timeout);
    }
    for env in stanza.stanzas("env") {
        template.environment = environment(env);
    }
    if stanza.take("enabled").and_then(|enabled| enabled.boolean()) == Some(false) {
        template.command = None;
    }
    for key in ["kill_signal", "kill_timeout", "reload_signal", "splay"] {
        if let Some(setting) = stanza.take(key) {
            setting.ignored("a template's command that takes too long is killed");
        }
    }
    stanza.finish();
}

/// A text for the shell, or a list of words.
fn command(setting: &Setting<'_>) -> Option<Command> {
    if !setting.is_list() {
        return setting.text().filter(|line| !line.trim().is_empty()).map(Command::Shell);
    }
    let mut words = setting.texts();
    // A list of one is a line for the shell, as the original has it.
    match words.len() {
        0 => None,
        1 => words.pop().filter(|line| !line.trim().is_empty()).map(Command::Shell),
        _ => Some(Command::Words(words)),
    }
}

/// `perms`: octal digits, as a text or as a number with a zero before it.
fn mode(setting: &Setting<'_>) -> Option<u32> {
    let written = setting.written()?;
    if setting.is_number() && !written.starts_with('0') {
        setting.refuse(&format!("{written} is not octal: want \"0{written}\""));
        return None;
    }
    match value::mode(&written) {
        Ok(mode) => Some(mode),
        Err(problem) => {
            setting.refuse(&problem);
            None
        }
    }
}

fn exec(mut stanza: Stanza<'_>) -> ExecSettings {
    let mut exec = ExecSettings::default();
    stanza.read(field::EXEC, &mut exec);
    exec.command = stanza.take("command").and_then(|setting| command(&setting));
    for env in stanza.stanzas("env") {
        exec.environment = environment(env);
    }
    if let Some(timeout) = stanza.take("timeout") {
        timeout.ignored("the program may run as long as it likes");
    }
    if stanza.take("enabled").and_then(|enabled| enabled.boolean()) == Some(false) {
        exec.command = None;
    }
    stanza.finish();
    exec
}

fn environment(mut stanza: Stanza<'_>) -> EnvironmentSettings {
    let pristine = stanza.take("pristine").and_then(|pristine| pristine.boolean());
    let mut texts = |keys: [&'static str; 2]| -> Vec<String> {
        keys.into_iter()
            .flat_map(|key| stanza.take(key).map(|list| list.texts()))
            .flatten()
            .collect()
    };
    let environment = EnvironmentSettings {
        pristine,
        custom: texts(["custom", "custom_env"]),
        allowed: texts(["allowlist", "whitelist"]),
        denied: texts(["denylist", "blacklist"]),
    };
    stanza.finish();
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_folder_come_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (10..40).map(|number| format!("{number}.hcl")).collect();
        // Made in an order of which no folder knows anything.
        for index in 0..names.len() {
            fs::write(folder.path().join(&names[index * 7 % names.len()]), "").unwrap();
        }
        fs::create_dir(folder.path().join("20")).unwrap();
        fs::write(folder.path().join("20/below"), "").unwrap();
        let found = files(folder.path()).unwrap();
        let found: Vec<&Path> =
            found.iter().map(|path| path.strip_prefix(folder.path()).unwrap()).collect();
        let mut expected: Vec<&Path> = names.iter().map(Path::new).collect();
        expected.insert(10, Path::new("20/below"));
        assert_eq!(found, expected);
    }

    #[test]
    fn there_is_an_end_to_what_is_told() {
        let many: String = (0..300).map(|number| format!("a{number} = 1\n")).collect();
        let problems = read(Path::new("f"), &many).0;
        assert_eq!(problems.len(), 100);
        assert!(problems[99].starts_with("f:100:1:"), "{}", problems[99]);
    }
}
