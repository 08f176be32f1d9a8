//! The table of settings: sections, fields, and everything known of each.
//!
//! To add a setting, write its row here; loading, checking, `rsr settings show` and the reference page follow.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rsr_base::ByteSize;

use crate::choice::{DatabaseTls, LogFormat, MailTls};
use crate::kind::{
    Address, Bytes, Count, Database, DatabaseEncryption, Days, HeaderPrefix, Hidden, Kind,
    LogLines, MailEncryption, Megabytes, Optional, Place, Ratio, Seconds, Switch, Text, WebAddress,
};
use crate::secret::{DatabaseUrl, Secret};
use crate::table::{Row, Setting, accept, row, sections};

sections! {
    /// The caches.
    cache: CacheSettings {
        /// How long an entry lives.
        ttl: Duration = Seconds, row("RSR_CACHE_TTL", "3600").profiles("1800", "3600", "900", "7200").test("0.1").above("0").to("365d").live();
        /// Most entries of one cache.
        max_size: usize = Count<usize>, row("RSR_CACHE_MAX_SIZE", "1000").profiles("500", "1000", "200", "2000").test("10").from("1").to("1000000000").live();
        /// Most bytes of all caches together.
        max_bytes: Option<ByteSize> = Optional<Bytes>, row("RSR_CACHE_MAX_BYTES", "none").from("1KiB").live();
        /// Time between two sweeps of expired entries.
        cleanup_interval: Duration = Seconds, row("RSR_CACHE_CLEANUP_INTERVAL", "300").profiles("180", "300", "180", "600").above("0").to("1d").live();
    }

    /// The tracker of deletions under way.
    deletion: DeletionSettings {
        /// Time after which a tracked deletion is stale.
        stale_after: Duration = Seconds, row("RSR_DELETION_STALE_AFTER", "3600").above("0").to("365d").live();
        /// Time between two sweeps of stale deletions.
        cleanup_interval: Duration = Seconds, row("RSR_DELETION_CLEANUP_INTERVAL", "900").above("0").to("1d").live();
        /// Tracked deletions from which the health check warns.
        warn_entries: usize = Count<usize>, row("RSR_DELETION_WARN_ENTRIES", "1000").from("1").live();
    }

    /// Reading the tree of projects.
    hierarchy: HierarchySettings {
        /// Most children in one answer.
        max_descendants_per_request: usize = Count<usize>, row("RSR_MAX_DESCENDANTS_PER_REQUEST", "1000").profiles("500", "1000", "200", "1000").test("50").from("1").to("1000000").live();
        /// Projects read at once.
        chunk_size: usize = Count<usize>, row("RSR_DESCENDANTS_CHUNK_SIZE", "500").profiles("250", "1000", "100", "1000").test("25").from("1").to("100000").live();
    }

    /// Rolling results up, and the queue of that work.
    aggregation: AggregationSettings {
        /// Most levels that one aggregation climbs, the first included.
        max_depth: u32 = Count<u32>, row("RSR_MAX_AGGREGATION_DEPTH", "100").profiles("50", "100", "50", "200").test("10").from("1").to("1000000").live();
        /// Tries of a job before it is given up.
        max_attempts: u32 = Count<u32>, row("RSR_AGGREGATION_MAX_ATTEMPTS", "5").from("1").to("1000").live();
        /// How long a worker's claim of a job lasts unless it is renewed.
        job_lease: Duration = Seconds, row("RSR_AGGREGATION_JOB_LEASE", "60").from("1").to("1d").live();
        /// Wait before the second try of a job; it doubles with each further one.
        retry_wait: Duration = Seconds, row("RSR_AGGREGATION_RETRY_WAIT", "5").to("1d").live();
        /// Longest wait between two tries of a job.
        retry_wait_max: Duration = Seconds, row("RSR_AGGREGATION_RETRY_WAIT_MAX", "600").to("7d").live();
        /// Time between two looks at an empty queue.
        poll_interval: Duration = Seconds, row("RSR_AGGREGATION_POLL_INTERVAL", "1").from("10ms").to("1h").live();
        /// How long a finished job is kept.
        keep_finished: Duration = Seconds, row("RSR_AGGREGATION_KEEP_FINISHED", "30d").to("3650d").live();
        /// Most finished jobs that are kept.
        keep_finished_max: usize = Count<usize>, row("RSR_AGGREGATION_KEEP_FINISHED_MAX", "100000").to("1000000000").live();
        /// Workers of one process.
        workers: usize = Count<usize>, row("RSR_AGGREGATION_WORKERS", "1").to("256");
    }

    /// Reading and writing IATI.
    iati: IatiSettings {
        /// Activities read from the database at once by an export.
        export_chunk_size: usize = Count<usize>, row("RSR_IATI_EXPORT_CHUNK_SIZE", "100").profiles("50", "100", "50", "200").from("1").to("100000").live();
        /// Activities written to the database in one transaction by an import.
        import_chunk_size: usize = Count<usize>, row("RSR_IATI_IMPORT_CHUNK_SIZE", "100").from("1").to("100000").live();
        /// Most bytes of one field of a file.
        max_field_bytes: ByteSize = Bytes, row("RSR_IATI_MAX_FIELD_BYTES", "16MiB").from("1KiB").to("1GiB").live();
        /// Size that no written file reaches; a longer export goes into several.
        split_bytes: ByteSize = Bytes, row("RSR_IATI_SPLIT_BYTES", "60000000").from("64KiB").live();
    }

    /// Measuring memory.
    monitoring: MonitoringSettings {
        /// The whole monitor.
        enabled: bool = Switch, row("RSR_MEMORY_MONITORING_ENABLED", "true").live();
        /// Allocation counts in response headers.
        detailed_tracking: bool = Switch, row("RSR_MEMORY_DETAILED_TRACKING", "false").profiles("false", "true", "", "").live();
        /// What the names of the memory headers begin with.
        header_prefix: String = HeaderPrefix, row("RSR_MEMORY_HEADER_PREFIX", "X-RSR-Memory");
        /// Time between background samples that a scrape does not take itself.
        metrics_update_interval: Duration = Seconds, row("RSR_MEMORY_METRICS_UPDATE_INTERVAL", "300").above("0").to("1d").live();
        /// A request that allocates more is logged.
        high_usage_threshold_mb: ByteSize = Megabytes, row("RSR_MEMORY_HIGH_USAGE_THRESHOLD_MB", "50").above("0").live();
        /// A request that takes longer is logged.
        long_request_seconds: Duration = Seconds, row("RSR_MEMORY_REQUEST_TIMEOUT_SECONDS", "10").above("0").to("1d").live();
        /// The `/metrics/` route.
        prometheus_enabled: bool = Switch, row("RSR_PROMETHEUS_METRICS_ENABLED", "true").live();
        /// Cache metrics in it.
        cache_metrics_enabled: bool = Switch, row("RSR_CACHE_METRICS_ENABLED", "true").live();
        /// Time between two readings of the costlier cache figures.
        cache_metrics_update_frequency: Duration = Seconds, row("RSR_CACHE_METRICS_UPDATE_FREQUENCY", "60").above("0").to("1d").live();
    }

    /// Finding leaks.
    leaks: LeaksSettings {
        /// Looking for leaks at all.
        enabled: bool = Switch, row("RSR_LEAK_DETECTION_ENABLED", "true").live();
        /// Time between two checks.
        check_interval: Duration = Seconds, row("RSR_LEAK_CHECK_INTERVAL", "300").profiles("600", "60", "", "").above("0").to("1d").live();
        /// Ratio of growth over the window from which a finding pages.
        growth_threshold: f64 = Ratio, row("RSR_LEAK_GROWTH_THRESHOLD", "0.2").profiles("0.3", "0.2", "", "").above("0").to("100").live();
        /// Growth from which a finding pages.
        memory_threshold_mb: ByteSize = Megabytes, row("RSR_LEAK_MEMORY_THRESHOLD_MB", "100").profiles("200", "50", "", "").above("0").live();
        /// Ratio of growth in live instances of a type from which it is a finding.
        model_growth_threshold: f64 = Ratio, row("RSR_LEAK_MODEL_GROWTH_THRESHOLD", "1.0").above("0").to("1000").live();
        /// Growth of one call site from which it is a finding.
        site_threshold_mb: ByteSize = Megabytes, row("RSR_LEAK_SITE_THRESHOLD_MB", "8").above("0").live();
        /// Whether call stacks that keep what they allocate are looked for, by sampling one allocation a MiB.
        call_sites: bool = Switch, row("RSR_LEAK_CALL_SITES", "true").live();
        /// Time between two looks at call stacks and indicators; the first opinion takes 21 of them.
        site_interval: Duration = Seconds, row("RSR_LEAK_SITE_INTERVAL", "15").from("0.1").to("1h").live();
        /// File that keeps the history of readings over a restart.
        history_path: Option<PathBuf> = Optional<Place>, row("RSR_LEAK_HISTORY_PATH", "none");
    }

    /// Heap profiles.
    profiling: ProfilingSettings {
        /// Whether the heap profiler may be started.
        enabled: bool = Switch, row("RSR_PROFILING_ENABLED", "false").profiles("false", "true", "", "").live();
        /// Folder of the profiles, of mode 0700; never a shared temporary folder.
        output_dir: PathBuf = Place, row("RSR_PROFILING_OUTPUT_DIR", "{state}/profiles");
        /// Most bytes of one profile.
        max_profile_size_mb: ByteSize = Megabytes, row("RSR_MAX_PROFILE_SIZE_MB", "100").from("1").live();
        /// Age from which profiles are deleted.
        cleanup_days: Duration = Days, row("RSR_PROFILING_CLEANUP_DAYS", "7").above("0").to("36500").live();
        /// Share of requests that are profiled while profiling is on.
        request_probability: f64 = Ratio, row("RSR_PROFILING_REQUEST_PROBABILITY", "0.01").to("1").live();
        /// Whether a new leak finding takes a profile by itself.
        on_leak: bool = Switch, row("RSR_PROFILING_ON_LEAK", "false").live();
    }

    /// The memory the process plans for, and what it does as that runs short.
    memory: MemorySettings {
        /// Bytes the process plans for; without a value the control group's limit, else the machine's memory.
        limit: Option<ByteSize> = Optional<Bytes>, row("RSR_MEMORY_LIMIT", "none").from("16MiB");
        /// File that tells the next run who held most when memory grew short; it is gone after an orderly end.
        snapshot_path: PathBuf = Place, row("RSR_MEMORY_SNAPSHOT_PATH", "{state}/memory-snapshot.json");
        /// Bytes one request may hold.
        request_budget: ByteSize = Bytes, row("RSR_MEMORY_REQUEST_BUDGET", "64MiB").from("64KiB").live();
        /// Share of the limit that no work may reserve.
        reserve: f64 = Ratio, row("RSR_MEMORY_RESERVE", "0.1").to("0.9");
        /// Share of the limit from which caches give back.
        reclaim_at: f64 = Ratio, row("RSR_MEMORY_RECLAIM_AT", "0.7").above("0").to("1").live();
        /// Share of the limit from which background work waits and chunks shrink.
        pause_at: f64 = Ratio, row("RSR_MEMORY_PAUSE_AT", "0.8").above("0").to("1").live();
        /// Share of the limit from which heavy routes are refused.
        shed_at: f64 = Ratio, row("RSR_MEMORY_SHED_AT", "0.88").above("0").to("1").live();
        /// Share of the limit from which only health, metrics and admin routes answer.
        refuse_at: f64 = Ratio, row("RSR_MEMORY_REFUSE_AT", "0.95").above("0").to("1").live();
        /// How far below a step the share must fall before the step ends.
        hysteresis: f64 = Ratio, row("RSR_MEMORY_HYSTERESIS", "0.05").to("0.5").live();
    }

    /// The database.
    database: DatabaseSettings {
        /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
        url: DatabaseUrl = Database, row("RSR_DATABASE_URL", "sqlite://rsr.db");
        /// Most connections for reading.
        pool_size: usize = Count<usize>, row("RSR_DATABASE_POOL_SIZE", "8").from("1").to("1000");
        /// Longest wait for a free connection.
        pool_timeout: Duration = Seconds, row("RSR_DATABASE_POOL_TIMEOUT", "5").above("0").to("1h");
        /// Longest wait for a lock that another process holds.
        lock_timeout: Duration = Seconds, row("RSR_DATABASE_LOCK_TIMEOUT", "5").to("1h");
        /// Longest run of one reading statement; the server ends it then. 0 is no limit.
        statement_timeout: Duration = Seconds, row("RSR_DATABASE_STATEMENT_TIMEOUT", "60").to("1d");
        /// How connections to another machine are encrypted, where the address has no `sslmode`; SQLite has none.
        tls: DatabaseTls = DatabaseEncryption, row("RSR_DATABASE_TLS", "verify-full");
        /// PEM file with the certificates that are trusted instead of the system's; as `sslrootcert` in the address.
        tls_ca_file: Option<PathBuf> = Optional<Place>, row("RSR_DATABASE_TLS_CA_FILE", "none");
        /// PEM file with this client's certificate, where the server asks for one; as `sslcert` in the address.
        tls_cert_file: Option<PathBuf> = Optional<Place>, row("RSR_DATABASE_TLS_CERT_FILE", "none");
        /// PEM file with the key of that certificate; as `sslkey` in the address.
        tls_key_file: Option<PathBuf> = Optional<Place>, row("RSR_DATABASE_TLS_KEY_FILE", "none");
        /// File of passwords in the form of `.pgpass`, for an address without one; as `passfile` in the address.
        passfile: Option<PathBuf> = Optional<Place>, row("RSR_DATABASE_PASSFILE", "none");
    }

    /// The HTTP service.
    server: ServerSettings {
        /// Address the service listens on.
        listen: SocketAddr = Address, row("RSR_LISTEN", "127.0.0.1:8000");
        /// Unix socket of the admin routes, of mode 0600.
        admin_socket: PathBuf = Place, row("RSR_ADMIN_SOCKET", "{runtime}/admin.sock");
        /// A second address for the admin routes; each request there needs the token.
        admin_listen: Option<SocketAddr> = Optional<Address>, row("RSR_ADMIN_LISTEN", "none");
        /// Bearer token of writes and of the second admin listener; needed to listen beyond loopback.
        api_token: Option<Secret> = Optional<Hidden>, row("RSR_API_TOKEN", "none");
        /// Most bytes of a request's body.
        max_body_bytes: ByteSize = Bytes, row("RSR_MAX_BODY_BYTES", "1MiB").from("1KiB").to("1GiB").live();
        /// Most bytes of a request's line and headers.
        max_header_bytes: ByteSize = Bytes, row("RSR_MAX_HEADER_BYTES", "16KiB").from("8KiB").to("1MiB");
        /// Longest time a request may take, streams apart.
        request_timeout: Duration = Seconds, row("RSR_REQUEST_TIMEOUT", "30").above("0").to("1d").live();
        /// Longest time a client may take to send its headers.
        header_timeout: Duration = Seconds, row("RSR_HEADER_TIMEOUT", "10").above("0").to("1h");
        /// Most requests answered at once.
        max_requests: usize = Count<usize>, row("RSR_MAX_REQUESTS", "256").from("1").to("100000");
        /// Most requests answered at once for one client address.
        max_requests_per_client: usize = Count<usize>, row("RSR_MAX_REQUESTS_PER_CLIENT", "64").from("1").to("100000").live();
        /// Most streams (exports, descendants) sent at once, each on a thread and a connection of its own.
        max_streams: usize = Count<usize>, row("RSR_MAX_STREAMS", "8").from("1").to("1000");
        /// Longest time a reader of a stream may take nothing.
        stream_timeout: Duration = Seconds, row("RSR_STREAM_TIMEOUT", "60").above("0").to("1d").live();
        /// Time that requests under way get to end when the service stops.
        grace_time: Duration = Seconds, row("RSR_GRACE_TIME", "10").to("1h").live();
    }

    /// Mail about failed aggregations and audits. Without a host none is sent.
    mail: MailSettings {
        /// Name of the mail server.
        host: Option<String> = Optional<Text>, row("RSR_MAIL_HOST", "none");
        /// Port of the mail server.
        port: u16 = Count<u16>, row("RSR_MAIL_PORT", "587").from("1");
        /// How the mail server is talked to.
        tls: MailTls = MailEncryption, row("RSR_MAIL_TLS", "starttls");
        /// Name to log in with.
        user: Option<String> = Optional<Text>, row("RSR_MAIL_USER", "none");
        /// Password to log in with.
        password: Option<Secret> = Optional<Hidden>, row("RSR_MAIL_PASSWORD", "none");
        /// Sender's address.
        from: Option<String> = Optional<Text>, row("RSR_MAIL_FROM", "none");
        /// Addresses, separated by commas, that an audit with findings is sent to.
        audit_recipients: Option<String> = Optional<Text>, row("RSR_MAIL_AUDIT_RECIPIENTS", "none").live();
        /// Longest wait for an answer of the mail server.
        timeout: Duration = Seconds, row("RSR_MAIL_TIMEOUT", "20").above("0").to("10m").live();
        /// Wait before a mail that failed is tried again; it doubles with each further try, up to an hour.
        retry_wait: Duration = Seconds, row("RSR_MAIL_RETRY_WAIT", "60").above("0").to("1h").live();
        /// How long a mail is tried before it is given up.
        give_up_after: Duration = Seconds, row("RSR_MAIL_GIVE_UP_AFTER", "1d").above("0").to("30d").live();
    }

    /// Traces and metrics over OpenTelemetry, where the program was built with it.
    otlp: OtlpSettings {
        /// Address of the collector; without one nothing is sent.
        endpoint: Option<String> = Optional<WebAddress>, row("RSR_OTLP_ENDPOINT", "none");
        /// Time between two transmissions of metrics.
        interval: Duration = Seconds, row("RSR_OTLP_INTERVAL", "60").from("1").to("1d");
    }

    /// What the program logs, always to standard error.
    log: LogSettings {
        /// What a log line looks like.
        format: LogFormat = LogLines, row("RSR_LOG_FORMAT", "text");
        /// What is logged: a level (error, warn, info, debug, trace), or filters such as `rsr_store=debug,info`.
        level: String = Text, row("RSR_LOG_LEVEL", "info");
    }
}
