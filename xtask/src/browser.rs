//! A real Chromium, moved over WebDriver: for tests of the dashboard and for its pictures in the docs.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::http;

/// One browser with one tab. It ends with this value.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    driver_address: SocketAddr,
    session: String,
}

/// What a page is looked at with.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Screen {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Whether the reader prefers dark pages.
    pub is_dark: bool,
}

impl Screen {
    /// A screen of this size.
    #[must_use]
    pub const fn new(width: u32, height: u32, is_dark: bool) -> Self {
        Self {
            width,
            height,
            is_dark,
        }
    }
}

impl Browser {
    /// Starts one; `None` where no Chromium or no driver is on this machine.
    ///
    /// # Errors
    ///
    /// Where they are there and do not work.
    pub fn start() -> Result<Option<Self>> {
        let started = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = started else {
            return Ok(None);
        };
        let output = driver.stdout.take().context("it was asked for as a pipe")?;
        let mut lines = BufReader::new(output).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once("started successfully on port ")?
                .1
                .trim_end_matches('.')
                .parse()
                .ok()
        });
        let Some(port) = port else {
            drop(driver.kill());
            drop(driver.wait());
            bail!("chromedriver ended before it named its port");
        };
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let mut browser = Self {
            driver,
            driver_address: (Ipv4Addr::LOCALHOST, port).into(),
            session: String::new(),
        };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments},
            "timeouts": {"script": 30_000},
        }}});
        let made = browser.call("POST", "/session", &wanted)?;
        let id = made["sessionId"].as_str().context("a session has an id")?;
        browser.session = format!("/session/{id}");
        Ok(Some(browser))
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = if method == "POST" {
            body.to_string()
        } else {
            String::new()
        };
        let answer = http::ask(self.driver_address, method, path, &body)?;
        let answer: Value = serde_json::from_slice(&answer.body)?;
        let value = answer["value"].clone();
        if let Some(error) = value["error"].as_str() {
            bail!("{method} {path}: {error}: {}", value["message"]);
        }
        Ok(value)
    }

    fn inside(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        self.call(method, &format!("{}{path}", self.session), body)
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Result<Value> {
        let body = json!({"cmd": command, "params": parameters});
        self.inside("POST", "/goog/cdp/execute", &body)
    }

    /// Looks with another screen from now on.
    ///
    /// # Errors
    ///
    /// Where the browser does not answer; so in every method here.
    pub fn look_with(&self, screen: Screen) -> Result<()> {
        let metrics = json!({
            "width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": screen.width < 600,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics)?;
        let scheme = if screen.is_dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &media)?;
        Ok(())
    }

    /// Opens an address and waits until it is loaded.
    ///
    /// # Errors
    ///
    /// As [`Browser::look_with`].
    pub fn open(&self, address: &str) -> Result<()> {
        self.inside("POST", "/url", &json!({"url": address}))?;
        Ok(())
    }

    /// Runs a function body in the page; what it returns.
    ///
    /// # Errors
    ///
    /// Where the script throws, too.
    pub fn run(&self, script: &str) -> Result<Value> {
        self.inside(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
    }

    /// Waits in the page until an expression is true; half a minute at most.
    ///
    /// # Errors
    ///
    /// Where it never is.
    pub fn until(&self, expression: &str) -> Result<()> {
        let script = format!(
            "const done = arguments[0]; const look = () => {{ try {{ if ({expression}) return done(true); }} catch {{}} setTimeout(look, 50); }}; look();"
        );
        self.inside(
            "POST",
            "/execute/async",
            &json!({"script": script, "args": []}),
        )
        .with_context(|| format!("never came true: {expression}"))?;
        Ok(())
    }

    /// Types keys as a person does, into what has the focus. WebDriver's own letters stand for keys without one.
    ///
    /// # Errors
    ///
    /// As [`Browser::look_with`].
    pub fn press(&self, keys: &str) -> Result<()> {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
            })
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]});
        self.inside("POST", "/actions", &actions)?;
        Ok(())
    }

    /// What the page has told its console since the last question, warnings and worse.
    ///
    /// # Errors
    ///
    /// As [`Browser::look_with`].
    pub fn complaints(&self) -> Result<Vec<String>> {
        let told = self.inside("POST", "/se/log", &json!({"type": "browser"}))?;
        let lines = told.as_array().context("a list of lines")?;
        Ok(lines
            .iter()
            .filter(|line| matches!(line["level"].as_str(), Some("SEVERE" | "WARNING")))
            .map(|line| line["message"].to_string())
            .collect())
    }

    /// A picture of what is on the screen, as PNG.
    ///
    /// # Errors
    ///
    /// As [`Browser::look_with`].
    pub fn picture(&self) -> Result<Vec<u8>> {
        let taken = self.devtools("Page.captureScreenshot", &json!({"format": "png"}))?;
        let data = taken["data"].as_str().context("a picture has data")?;
        Ok(BASE64_STANDARD.decode(data)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It goes with the driver where it does not go by itself.
        drop(self.inside("DELETE", "", &Value::Null));
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}
