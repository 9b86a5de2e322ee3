//! Names of the variables that children find in their environment.

/// The variable with a service's address: `CONTAINERPILOT_MY_APP_IP` for `my-app`. Upper case,
/// and `_` for whatever cannot stand in a variable's name.
pub fn service_ip_variable(name: &str) -> String {
    let symbol = |char: char| if char.is_ascii_alphanumeric() { char } else { '_' };
    let name: String = name.chars().map(symbol).collect();
    format!("CONTAINERPILOT_{}_IP", name.to_ascii_uppercase())
}

/// The variable with a running job's pid: `CONTAINERPILOT_MY_AGENT_PID` for
/// `/usr/bin/my-agent.sh`. The base name without its extension, upper case, and one `_` for every
/// run of characters that are neither letters nor digits.
pub fn pid_variable(name: &str) -> String {
    let base = name.trim_end_matches('/').rsplit('/').next().unwrap_or(name);
    let base = match base.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => base,
    };
    with_runs("CONTAINERPILOT_", base, "_PID")
}

/// The variable with the fencing token of who is elected: `CONTAINERPILOT_ELECTION_DB_1_TOKEN` for
/// `db-1`. Upper case, and one `_` for every run of characters that are neither letters nor
/// digits.
pub fn election_variable(name: &str) -> String {
    with_runs("CONTAINERPILOT_ELECTION_", name, "_TOKEN")
}

/// A variable's name with one `_` for every run of characters that cannot stand in it.
fn with_runs(begin: &str, name: &str, end: &str) -> String {
    let mut variable = String::from(begin);
    for char in name.chars() {
        if char.is_ascii_alphanumeric() {
            variable.push(char.to_ascii_uppercase());
        } else if !variable.ends_with('_') {
            variable.push('_');
        }
    }
    format!("{}{end}", variable.trim_end_matches('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services() {
        assert_eq!(service_ip_variable("my-app"), "CONTAINERPILOT_MY_APP_IP");
        assert_eq!(service_ip_variable("my.app_2"), "CONTAINERPILOT_MY_APP_2_IP");
    }

    #[test]
    fn names_of_processes() {
        assert_eq!(pid_variable("consul-agent"), "CONTAINERPILOT_CONSUL_AGENT_PID");
        assert_eq!(pid_variable("/usr/local/bin/my--tool.sh"), "CONTAINERPILOT_MY_TOOL_PID");
        assert_eq!(pid_variable("my tool (2)"), "CONTAINERPILOT_MY_TOOL_2_PID");
        assert_eq!(pid_variable(".hidden"), "CONTAINERPILOT_HIDDEN_PID");
    }

    #[test]
    fn names_of_elections() {
        assert_eq!(election_variable("primary"), "CONTAINERPILOT_ELECTION_PRIMARY_TOKEN");
        assert_eq!(election_variable("db--1.of 2"), "CONTAINERPILOT_ELECTION_DB_1_OF_2_TOKEN");
        assert_eq!(election_variable("-x-"), "CONTAINERPILOT_ELECTION_X_TOKEN");
    }
}
