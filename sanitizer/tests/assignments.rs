//! Passwords in the syntax of many languages and formats, each beside a look-alike in which there is none.
//!
//! `@` stands for a value that is made at run time.

use certus_sanitizer::{Format, Kind, Policy, Profile, PseudonymKey, Sanitizer};

/// Syntax, a text with a value, a text without one.
const CASES: &[(&str, &str, &str)] = &[
    ("C", "const char *password = \"@\";", "const char *password = getenv(\"PW\");"),
    ("C array", "char passwd[25] = \"@\";", "char passwd[25];"),
    ("C++", "std::string dbPassword{\"@\"};", "std::string dbPassword{config.password()};"),
    ("C#", "private const string Password = \"@\";", "public string Password { get; set; }"),
    ("Java", "String password = \"@\";", "String password = System.getProperty(\"pw\");"),
    ("Java setter", "config.setPassword(\"@\");", "config.setPassword(password);"),
    ("Kotlin", "val password: String = \"@\"", "val password: String = readPassword()"),
    ("Scala", "val password = \"@\"", "val password = config.getString(\"pw\")"),
    ("Go", "password := \"@\"", "password := os.Getenv(\"PW\")"),
    ("Go var", "var password string = \"@\"", "var password string"),
    ("Go raw", "Password: `@`,", "Password: cfg.Password,"),
    ("Rust", "let password: &str = \"@\";", "let password: &str = &config.password;"),
    ("Rust lifetime", "let password = b\"@\";", "fn open(password: &'a [u8]) -> Reader<'a> {"),
    ("Python", "password = '@'", "password = getpass.getpass()"),
    ("Python keyword", "connect(user='u', password='@')", "connect(user=user, password=password)"),
    ("Python dict", "{'password': '@'}", "{'password': password}"),
    ("Ruby", "password: '@',", "password: ENV['PW'],"),
    ("Ruby hash", ":password => '@'", ":password => params[:password]"),
    ("PHP", "$password = '@';", "$password = $_POST['password'];"),
    ("PHP define", "define('DB_PASSWORD', '@');", "define('DB_PASSWORD', getenv('PW'));"),
    ("Perl", "my $password = '@';", "my $password = shift;"),
    ("JavaScript", "const password = '@';", "const password = req.body.password;"),
    ("TypeScript", "password: string = '@';", "password: string;"),
    ("Swift", "let password = \"@\"", "let password = UserDefaults.password"),
    ("Lua", "local password = \"@\"", "local password = os.getenv(\"PW\")"),
    ("R", "password <- \"@\"", "password <- Sys.getenv(\"PW\")"),
    ("PowerShell", "$Password = \"@\"", "$Password = Read-Host -AsSecureString"),
    ("VB", "Dim password As String = \"@\"", "Dim password As String"),
    ("Elixir", "password: \"@\",", "password: System.get_env(\"PW\"),"),
    ("Dart", "final String password = '@';", "final String password;"),
    ("comparison", "if (password == \"@\") {", "if (password == other.password) {"),
    ("comparison, reversed", "if (\"@\" != password) {", "if (null != password) {"),
    ("shell", "export DB_PASSWORD=@", "export DB_PASSWORD=$(cat /run/pw)"),
    ("shell quotes", "DB_PASSWORD='@'", "DB_PASSWORD=\"${DB_PASSWORD:-}\""),
    ("env file", "DB_PASSWORD=@\n", "DB_PASSWORD=\n"),
    ("YAML", "db:\n  password: @\n", "db:\n  password:\n"),
    ("YAML block", "password: |\n  @\n", "password: |\n  changeme\n"),
    ("YAML folded", "password: >-\n    @\n", "password: >-\n    {{ vault_password }}\n"),
    (
        "YAML pair",
        "- name: DB_PASSWORD\n  value: @\n",
        "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      key: pw\n",
    ),
    ("Helm", "postgresqlPassword: \"@\"", "postgresqlPassword: {{ .Values.db.password }}"),
    ("TOML", "password = \"@\"\n", "password = \"\"\n"),
    ("INI", "[db]\npassword=@\n", "[db]\npassword_file=/run/pw\n"),
    ("properties", "spring.datasource.password=@", "spring.datasource.password=${PW}"),
    ("JSON", "{\"password\": \"@\"}", "{\"password\": null}"),
    ("JSON escaped", "{\\\"password\\\": \\\"@\\\"}", "{\\\"password\\\": \\\"\\\"}"),
    (
        "JSON pair",
        "{\"name\": \"DB_PASSWORD\", \"value\": \"@\"}",
        "{\"name\": \"DB_PASSWORD\", \"value\": \"\"}",
    ),
    ("XML element", "<password>@</password>", "<password>${db.password}</password>"),
    ("XML CDATA", "<password><![CDATA[@]]></password>", "<password><![CDATA[]]></password>"),
    ("XML attribute", "<user name=\"u\" password=\"@\"/>", "<user name=\"u\" password=\"\"/>"),
    ("XML pair", "<add key=\"Password\" value=\"@\"/>", "<add key=\"Password\" value=\"\"/>"),
    ("Jenkins", "<password>{@@@}</password>", "<password>{none}</password>"),
    ("Dockerfile", "ENV DB_PASSWORD=@", "ENV DB_PASSWORD=$PW"),
    ("Dockerfile space", "ENV DB_PASSWORD @", "ENV DB_PASSWORD \"\""),
    ("Dockerfile argument", "ARG PASSWORD=@", "ARG PASSWORD"),
    ("Terraform", "password = \"@\"", "password = var.db_password"),
    ("Terraform heredoc", "password = <<EOT\n@\nEOT", "password = <<EOT\n${var.password}\nEOT"),
    (
        "Kubernetes string",
        "kind: Secret\nstringData:\n  password: @\n",
        "kind: Secret\nmetadata:\n  name: password\n",
    ),
    ("query string", "GET /x?user=u&password=@&y=1 HTTP/1.1", "GET /x?user=u&password=&y=1 HTTP/1.1"),
    ("form", "user=u&password=@", "user=u&password="),
    ("curl", "curl -u admin:@ https://h/", "curl -u admin https://h/"),
    ("option", "tool --password @ run", "tool --password-file pw run"),
    ("option equals", "tool --password=@ run", "tool --password=$PW run"),
    ("mysql", "mysql -u root -p@ app", "mysql -u root -p app"),
    ("sshpass", "sshpass -p @ ssh me@h", "sshpass -e ssh me@h"),
    ("URL", "postgres://app:@@db.internal/app", "postgres://app@db.internal/app"),
    ("git-credentials", "https://me:@@git.example.net", "https://git.example.net"),
    ("MySQL", "CREATE USER 'u'@'h' IDENTIFIED BY '@';", "CREATE USER 'u'@'h' IDENTIFIED BY ?;"),
    ("PostgreSQL", "ALTER ROLE app WITH PASSWORD '@';", "ALTER ROLE app WITH PASSWORD NULL;"),
    (
        "SQL insert",
        "INSERT INTO users (name, password, role) VALUES ('u', NULL, 1),\n  ('v', '@', 2);",
        "INSERT INTO users (name, password, role) VALUES ('u', NULL, 1),\n  ('v', ?, 2);",
    ),
    (
        "SQL insert, last",
        "insert into t (`id`, `api_key`)\nvalues (1, '@');",
        "insert into t (`id`, `api_key`) values (?, ?)",
    ),
    ("CSV", "user,password,role\nanna,,x\nbert,@,y\n", "user,password,role\nanna,,x\nbert,null,y\n"),
    (
        "CSV quotes",
        "\"user\",\"password\"\r\n\"anna\",\"@\"\r\n",
        "\"user\",\"password\"\r\n\"anna\",\"\"\r\n",
    ),
    ("CSV semicolons", "id;Access Token\n7;@\n", "id;Access Token File\n7;tokens.txt\n"),
    ("TSV", "host\tdb_password\nh\t@\n", "host\tdb_password\nh\t\n"),
    (
        "table",
        "| user | password |\n|------|----------|\n| anna | @ |\n",
        "| option | password |\n|--------|----------|\n| type   | string   |\n",
    ),
    ("MySQL, set", "SET PASSWORD FOR 'u'@'h' = PASSWORD('@');", "SET PASSWORD FOR 'u'@'h' TO RANDOM;"),
    (
        "Terraform variable",
        "variable \"db_password\" {\n  type    = string\n  default = \"@\"\n}\n",
        "variable \"db_password\" {\n  type    = string\n  default = null\n}\n",
    ),
    (
        "Erlang",
        "[{db, [{user, \"u\"}, {password, <<\"@\">>}]}].",
        "[{db, [{user, \"u\"}, {password, undefined}]}].",
    ),
    ("Elixir", "config :app, password: \"@\"", "config :app, password: System.get_env(\"PW\")"),
    ("Windows share", "net use Z: \\\\h\\s @ /user:me", "net use Z: \\\\h\\s /persistent:no"),
    (
        "Kubernetes Secret, any key",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\nstringData:\n  dsn: @\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n  dsn: production\n",
    ),
    (
        "Kubernetes Secret, JSON",
        "{\"kind\": \"Secret\", \"stringData\": {\"dsn\": \"@\"}}",
        "{\"kind\": \"ConfigMap\", \"data\": {\"dsn\": \"production\"}}",
    ),
    ("JDBC", "jdbc:mysql://db/app?user=a&password=@", "jdbc:mysql://db/app?user=a"),
    ("ADO", "Server=db;User Id=sa;Password=@;Encrypt=true", "Server=db;Integrated Security=true"),
    (
        "ODBC",
        "Driver={SQL Server};Server=db;Uid=sa;Pwd=@;",
        "Driver={SQL Server};Server=db;Trusted_Connection=yes;",
    ),
    ("netrc", "machine h login me password @ account a", "machine learning, login and password"),
    ("pgpass", "db.internal:5432:app:me:@", "db.internal:5432:app:me:"),
    ("pypirc", "[pypi]\nusername = u\npassword = @\n", "[pypi]\nusername = u\n"),
    ("Maven", "<server><id>x</id><password>@</password></server>", "<server><id>x</id></server>"),
    ("npm", "//r.example.net/:_password=@", "//r.example.net/:always-auth=true"),
    ("LDIF", "userPassword: @", "userPassword: "),
    ("comment that allows", "password = \"@\" # gitleaks:allow", "password = \"\" # gitleaks:allow"),
    ("other comment that allows", "password = \"@\" // pragma: allowlist secret", "password = x // nosec"),
];

fn sanitizer(profile: Profile) -> Sanitizer {
    Sanitizer::new(&Policy { profile, ..Policy::default() }, PseudonymKey::from_bytes([7; 32]))
        .expect("the tables are right")
}

/// Values as people and generators make them, from a seed.
fn value(seed: u64) -> String {
    const LETTERS: &[u8] = b"qwzxkvjrtbnmplgQWZXKVJRTBNMPLG";
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..14)
        .map(|at| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if at % 4 == 2 {
                char::from(b'2' + (state % 8) as u8)
            } else {
                char::from(LETTERS[(state % LETTERS.len() as u64) as usize])
            }
        })
        .collect()
}

#[test]
fn a_number_is_a_password_where_it_is_no_constant() {
    let sanitizer = sanitizer(Profile::HighRecall);
    let number = "83419720";
    for text in ["DB_PASSWORD=@", "password = @", "DB_PASSWORD: @", "\"password\": @", "password: \"@\""] {
        let text = text.replace('@', number);
        assert_eq!(secrets(&sanitizer, &text), [number], "{text}");
    }
    for text in ["STATUS_WRONG_PASSWORD = @", "Code.WRONG_PASSWORD = @,", "const password = @;"] {
        let text = text.replace('@', number);
        assert!(secrets(&sanitizer, &text).is_empty(), "{text}");
    }
}

/// The secrets found in a text.
fn secrets(sanitizer: &Sanitizer, text: &str) -> Vec<String> {
    let found = sanitizer.scan(text.as_bytes(), Format::Text).expect("scans");
    let secrets = found.iter().filter(|finding| finding.kind == Kind::Secret);
    secrets.map(|finding| text[finding.start..finding.end].to_owned()).collect()
}

#[test]
fn a_password_is_found_in_every_syntax() {
    let sanitizer = sanitizer(Profile::Balanced);
    let mut missed = Vec::new();
    for (number, (syntax, with, _)) in CASES.iter().enumerate() {
        for seed in 0..8 {
            let value = value(1 + seed * 1000 + number as u64);
            // The last sign stands for the value, or all of them for pieces of it.
            let at = with.rfind('@').expect("a value");
            let text = match *syntax {
                "URL" | "git-credentials" => with.replacen('@', &value, 1),
                "Jenkins" => with.replace('@', &value),
                "sshpass" | "curl" => with.replacen('@', &value, 1),
                _ => format!("{}{value}{}", &with[..at], &with[at + 1..]),
            };
            let found = secrets(&sanitizer, &text);
            if !found.iter().any(|found| found.contains(&value) && found.len() <= 4 * value.len()) {
                missed.push(format!("{syntax}: {text:?} gave {found:?}"));
                break;
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn nothing_is_found_where_no_password_stands() {
    let sanitizer = sanitizer(Profile::Balanced);
    let wrong: Vec<String> = CASES
        .iter()
        .filter(|(.., without)| !secrets(&sanitizer, without).is_empty())
        .map(|(syntax, _, without)| format!("{syntax}: {without:?} gave {:?}", secrets(&sanitizer, without)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn keys_longer_than_any_window_are_taken_whole() {
    let sanitizer = sanitizer(Profile::Balanced);
    let line = |number: u64| (0..5).map(|part| value(1 + number * 5 + part)).collect::<String>();
    for (ending, name) in [("\n", "real"), ("\\n", "escaped"), (" ", "spaces")] {
        // More than a key of 16,384 bits takes in base64.
        let lines: Vec<String> = (0..200).map(line).collect();
        let (first, last) = (lines[0].clone(), lines[199].clone());
        let kind = "PRIVATE KEY";
        let text = format!(
            "-----BEGIN RSA {kind}-----{ending}{}{ending}-----END RSA {kind}-----",
            lines.join(ending)
        );
        let found = secrets(&sanitizer, &text);
        assert_eq!(found.len(), 1, "{name}: {:?}", found.iter().map(String::len).collect::<Vec<_>>());
        assert!(found[0].contains(&first) && found[0].contains(&last), "{name}");
    }
    let lines: Vec<String> = (0..300).map(|number| line(number)[..64].to_owned()).collect();
    let text = format!("Private-Lines: 300\n{}\nPrivate-MAC: 0", lines.join("\n"));
    let found = secrets(&sanitizer, &text);
    assert!(found.iter().any(|found| found.contains(&lines[299])), "PuTTY");
}
