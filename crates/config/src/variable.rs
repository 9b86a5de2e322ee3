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
    let mut variable = String::from("CONTAINERPILOT_");
    for char in base.chars() {
        if char.is_ascii_alphanumeric() {
            variable.push(char.to_ascii_uppercase());
        } else if !variable.ends_with('_') {
            variable.push('_');
        }
    }
    format!("{}_PID", variable.trim_end_matches('_'))
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
}
