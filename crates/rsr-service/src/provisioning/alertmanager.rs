//! Who hears of an alert: critical ones page, warnings are mailed, the rest goes where logs go.

/// The file that Alertmanager loads. Secrets are read from files beside it.
pub(super) fn yaml() -> String {
    FILE.to_owned()
}

const FILE: &str = r##"# Routes by severity. Put the secrets into the files that are named here, and the addresses into this one.
global:
  smtp_smarthost: "localhost:25"
  smtp_from: "rsr@localhost"
  smtp_require_tls: false
route:
  receiver: log
  group_by: [alertname, instance]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 12h
  routes:
    - matchers: ['severity="critical"']
      receiver: pager
      repeat_interval: 1h
      continue: true
    - matchers: ['severity=~"critical|warning"']
      receiver: people
    - matchers: ['severity="info"']
      receiver: log
inhibit_rules:
  # Nothing of a service that is down is news.
  - source_matchers: ['alertname="RsrDown"']
    target_matchers: ['alertname=~"Rsr.+"', 'alertname!="RsrDown"']
    equal: [instance]
  - source_matchers: ['alertname="RsrCriticalLeak"']
    target_matchers: ['alertname="RsrLeakDetected"']
    equal: [instance]
receivers:
  - name: people
    email_configs:
      - to: "operators@localhost"
        send_resolved: true
    slack_configs:
      - api_url_file: /etc/alertmanager/slack-url
        channel: "#rsr"
        send_resolved: true
  - name: pager
    pagerduty_configs:
      - routing_key_file: /etc/alertmanager/pagerduty-key
        send_resolved: true
  - name: log
    webhook_configs:
      - url: "http://localhost:9095/alerts"
        send_resolved: true
"##;
