use super::*;
use serde_json::{Value, json};

fn service(namespace: &str, name: &str, port: i64) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace}, "spec": {"selector": {"app": name}, "ports": [{"port": port}]}})
}

/// The Services that a Deployment with this container, in namespace `shop`, names.
fn named_by(container: &Value, data: &Value) -> Vec<String> {
    let mut inventory = Inventory::default();
    for (namespace, name, port) in [
        ("shop", "db", 5432),
        ("shop", "redis-master", 6379),
        ("shop", "web", 80),
        ("shop", "frontend", 80),
        ("data", "db", 5432),
        ("data", "kafka", 9092),
    ] {
        inventory.add("v1", "Service", service(namespace, name, port), None).unwrap();
    }
    let mut headless = service("shop", "mongo", 27017);
    headless["spec"]["clusterIP"] = json!("None");
    inventory.add("v1", "Service", headless, None).unwrap();
    let alias = json!({"metadata": {"name": "queue", "namespace": "shop"}, "spec": {"type": "ExternalName", "externalName": "kafka.data.svc.cluster.local"}});
    inventory.add("v1", "Service", alias, None).unwrap();
    let map = json!({"metadata": {"name": "conf", "namespace": "shop"}, "data": data});
    inventory.add("v1", "ConfigMap", map, None).unwrap();
    let spec = json!({"containers": [container], "volumes": [{"name": "conf", "configMap": {"name": "conf"}}]});
    let deployment = json!({"metadata": {"name": "client", "namespace": "shop"}, "spec": {"template": {"spec": spec}}});
    inventory.add("apps/v1", "Deployment", deployment, None).unwrap();
    let inventory = inventory.finish();
    let client = inventory.workloads.position("shop", "Deployment", "client").unwrap();
    let show = |reference: &Reference| {
        let subject = &inventory.services.at(reference.service).subject;
        let port = reference.port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{}{port}", subject.path())
    };
    References::of(&inventory).of_client(client).iter().map(show).collect()
}

fn env(name: &str, value: &str) -> Vec<String> {
    named_by(&json!({"name": "c", "env": [{"name": name, "value": value}]}), &json!({}))
}

fn args(args: &[&str]) -> Vec<String> {
    named_by(&json!({"name": "c", "args": args}), &json!({}))
}

fn file(text: &str) -> Vec<String> {
    named_by(&json!({"name": "c", "volumeMounts": [{"name": "conf", "mountPath": "/etc/c"}]}), &json!({"c.conf": text}))
}

#[test]
fn forms_of_cluster_dns() {
    for (value, expected) in [
        ("http://web", "shop/web"),
        ("http://web:80/path", "shop/web:80"),
        ("web:80", "shop/web:80"),
        ("db.data", "data/db"),
        ("db.data.svc", "data/db"),
        ("db.data.svc.cluster.local", "data/db"),
        ("db.data.svc.corp.example:5432", "data/db:5432"),
        ("postgresql://u:p@ss@db.data.svc:5432/x?sslmode=off", "data/db:5432"),
        ("user:pass@tcp(db:5432)/shop", "shop/db:5432"),
        ("host=db user=web password=frontend", "shop/db"),
        ("jdbc:postgresql://db:5432/web", "shop/db:5432"),
        ("mongo-0.mongo.shop.svc.cluster.local:27017", "shop/mongo:27017"),
        ("mongodb://mongo-0.mongo/web", "shop/mongo"),
        ("tcp://queue:9092", "data/kafka:9092"),
    ] {
        assert_eq!(env("X", value), [expected], "{value}");
    }
    assert_eq!(env("X", "mongodb://mongo-0.mongo:27017,mongo-1.mongo:27017/x"), ["shop/mongo:27017"]);
    assert_eq!(env("X", "http://web:80,http://frontend"), ["shop/frontend", "shop/web:80"]);
}

/// The addresses outside the Services that variables of a Deployment name.
fn outside(variables: &[(&str, &str)]) -> Vec<String> {
    let env: Vec<Value> = variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let spec = json!({"containers": [{"name": "c", "env": env}]});
    let deployment = json!({"metadata": {"name": "client", "namespace": "shop"}, "spec": {"template": {"spec": spec}}});
    let mut inventory = Inventory::default();
    inventory.add("apps/v1", "Deployment", deployment, None).unwrap();
    let inventory = inventory.finish();
    let client = inventory.workloads.position("shop", "Deployment", "client").unwrap();
    let show = |outside: &Outside| match outside.port {
        Some(port) => format!("{} on {port}", outside.host),
        None => outside.host.clone(),
    };
    References::of(&inventory).outside(client).iter().map(show).collect()
}

#[test]
fn literal_addresses() {
    for (name, value, expected) in [
        ("X", "http://203.0.113.9:9090/x", "203.0.113.9 on 9090"),
        ("X", "http://[2001:db8::1]:9090/x", "2001:db8::1 on 9090"),
        ("X", "https://[2001:DB8:0::1]", "2001:db8::1 on 443"),
        ("X", "[\"http://[2001:db8::1]:9090\"]", "2001:db8::1 on 9090"),
        ("X", "[http://[2001:db8::1]]", "2001:db8::1 on 80"),
        ("X", "postgresql://u:p@[2001:db8::1]:5432/x", "2001:db8::1 on 5432"),
        ("X", "http://[::ffff:203.0.113.9]:9090", "203.0.113.9 on 9090"),
        ("DB_HOST", "2001:db8::1", "2001:db8::1"),
        ("DB_ADDR", "[2001:db8::1]:5432", "2001:db8::1 on 5432"),
        ("DB_HOST", "[2001:db8::1]", "2001:db8::1"),
    ] {
        assert_eq!(outside(&[(name, value)]), [expected], "{name}={value}");
    }
    let several = outside(&[("X", "tcp://[2001:db8::1]:9092,[2001:db8::2]:9092")]);
    assert_eq!(several, ["2001:db8::1 on 9092", "2001:db8::2 on 9092"]);
    assert_eq!(outside(&[("DB_HOST", "2001:db8::1"), ("DB_PORT", "5432")]), ["2001:db8::1 on 5432"]);
    for (name, value) in [
        ("X", "2001:db8::1"),
        ("X", "http://[::1]:9090"),
        ("X", "http://[::]:9090"),
        ("DB_HOST", "::1"),
        ("DB_HOST", "[2001:db8::1] or none"),
        ("CORS_ORIGINS", "http://[2001:db8::1]"),
        ("X", "http://[a:b]:80"),
    ] {
        assert!(outside(&[(name, value)]).is_empty(), "{name}={value}");
    }
}

#[test]
fn bare_names_need_evidence() {
    assert_eq!(env("DB_HOST", "db"), ["shop/db"]);
    assert_eq!(env("AUTH_SERVICE", "web"), ["shop/web"]);
    for (key, value) in [
        ("POSTGRES_DB", "db"),
        ("MODE", "web"),
        ("NODE_ENV", "frontend"),
        ("X", "the web and the db"),
        ("X", "web:8080"),
        ("OTEL_SERVICE_NAME", "frontend"),
        ("NO_PROXY", "web,db,frontend:80"),
        ("CORS_ORIGINS", "http://frontend"),
        ("ALLOWED_HOSTS", "web"),
        ("DB_HOST", "kafka"),
        ("X", "/opt/web/db"),
        ("IMAGE", "registry.example.com/web:80"),
    ] {
        assert!(env(key, value).is_empty(), "{key}={value}");
    }
}

#[test]
fn a_port_may_stand_in_the_variable_beside() {
    let pair = |host: &str, port: &str| {
        let env = json!([{"name": "DB_HOST", "value": host}, {"name": "DB_PORT", "value": port}]);
        named_by(&json!({"name": "c", "env": env}), &json!({}))
    };
    assert_eq!(pair("db", "5432"), ["shop/db:5432"]);
    assert_eq!(pair("db.data.svc", "5432"), ["data/db:5432"]);
    assert_eq!(pair("db:5432", "9"), ["shop/db:5432"], "its own port counts");
    assert_eq!(pair("db", "tcp"), ["shop/db"]);
    let map = json!({"DB_HOST": "db", "DB_PORT": "5432"});
    let whole = json!({"name": "c", "envFrom": [{"configMapRef": {"name": "conf"}}]});
    assert_eq!(named_by(&whole, &map), ["shop/db:5432"]);
}

#[test]
fn commands_and_arguments() {
    assert_eq!(args(&["--slaveof", "redis-master", "6379"]), ["shop/redis-master:6379"]);
    assert_eq!(args(&["-h", "db"]), ["shop/db"]);
    assert_eq!(args(&["--redis-host=redis-master"]), ["shop/redis-master"]);
    assert_eq!(args(&["until nslookup db; do sleep 2; done"]), ["shop/db"]);
    assert_eq!(args(&["while ! nc -z db 5432; do sleep 1; done"]), ["shop/db:5432"]);
    assert_eq!(args(&["$(REDIS_MASTER_SERVICE_HOST):$(REDIS_MASTER_SERVICE_PORT)"]), ["shop/redis-master"]);
    assert_eq!(args(&["run --host http://frontend.shop.svc.cluster.local -f x"]), ["shop/frontend"]);
    assert!(args(&["--name", "web", "serve", "db"]).is_empty());
    let container = json!({"name": "c", "args": ["--url=http://$(TO).$(NS).svc:80"], "env": [
        {"name": "TO", "value": "web"}, {"name": "NS", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}]});
    assert_eq!(named_by(&container, &json!({})), ["shop/web:80"]);
}

#[test]
fn files_and_variables_of_config_maps() {
    assert_eq!(file("database:\n  host: db\n  name: web\n"), ["shop/db"]);
    assert_eq!(file("hosts:\n  - redis-master\n  - db\nname: web\n"), ["shop/db", "shop/redis-master"]);
    assert_eq!(file(r#"{"url":"http://web","hosts":["db"],"name":"frontend"}"#), ["shop/db", "shop/web"]);
    assert_eq!(file("spring.redis.host=redis-master\nspring.name = web\n"), ["shop/redis-master"]);
    assert_eq!(file("proxy_pass http://web;\nserver_name frontend;\nserver db:5432;\n"), ["shop/db:5432", "shop/web"]);
    assert!(file("# http://web\n  // http://db\nkey: x # see http://frontend\n").is_empty());
    let unmounted = json!({"name": "c"});
    assert!(named_by(&unmounted, &json!({"c.conf": "host: db"})).is_empty());
    let by_key = json!({"name": "c", "env": [{"name": "DB_HOST", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "database"}}}]});
    assert_eq!(named_by(&by_key, &json!({"database": "db", "other": "http://web"})), ["shop/db"]);
    let whole = json!({"name": "c", "envFrom": [{"configMapRef": {"name": "conf"}}], "env": [{"name": "API_URL", "value": "http://web"}]});
    assert_eq!(
        named_by(&whole, &json!({"API_URL": "http://frontend", "REDIS": "redis-master:6379"})),
        ["shop/redis-master:6379", "shop/web"]
    );
}
