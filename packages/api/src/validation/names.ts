import type { Json } from "../object/json.ts";
import { type FieldError, invalid, tooLong } from "../status/field-error.ts";

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

const LABEL_HELP =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_HELP =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035_HELP =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED_HELP =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE_HELP =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const WILDCARD = /^\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const WILDCARD_HELP =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const UNDERSCORED = /^_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;
const UNDERSCORED_HELP =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";
const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/;
const CONFIG_KEY_HELP =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const HEADER_HELP =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
const C_IDENTIFIER_HELP =
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')";
const PERCENT_HELP =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

const bytes = (text: string): number => Buffer.byteLength(text);

/** What is wrong with a name, a sentence each; empty: nothing. */
export type NameRule = (name: string) => readonly string[];

const nameRule =
  (pattern: RegExp, longest: number, help: string, unit = "characters"): NameRule =>
  (name) => [
    ...(bytes(name) > longest ? [`must be no more than ${longest} ${unit}`] : []),
    ...(pattern.test(name) ? [] : [help]),
  ];

export const dnsLabel: NameRule = (name) => [
  ...(bytes(name) > 63 ? ["must be no more than 63 characters"] : []),
  ...(LABEL.test(name) ? [] : [SUBDOMAIN.test(name) ? "must not contain dots" : LABEL_HELP]),
];
export const dnsSubdomain = nameRule(SUBDOMAIN, 253, SUBDOMAIN_HELP);
export const dns1035Label = nameRule(LABEL_1035, 63, LABEL_1035_HELP);
/** `*.example.com` */
export const wildcardSubdomain = nameRule(WILDCARD, 253, WILDCARD_HELP);
/** Labels may begin with an underscore and have some within, as search domains do. */
export const underscoredSubdomain = nameRule(UNDERSCORED, 253, UNDERSCORED_HELP);
export const configKey: NameRule = (key) => [...nameRule(CONFIG_KEY, 253, CONFIG_KEY_HELP)(key), ...upwards(key)];
export const httpHeader = nameRule(/^[-A-Za-z0-9]+$/, Number.MAX_SAFE_INTEGER, HEADER_HELP);
export const cIdentifier = nameRule(/^[A-Za-z_][A-Za-z0-9_]*$/, Number.MAX_SAFE_INTEGER, C_IDENTIFIER_HELP);
export const percent = nameRule(/^[0-9]+%$/, Number.MAX_SAFE_INTEGER, PERCENT_HELP);
/** Where names of prefixes are looked at, lengths are told in bytes. */
const prefixSubdomain = nameRule(SUBDOMAIN, 253, SUBDOMAIN_HELP, "bytes");

function upwards(name: string): readonly string[] {
  if (name === "." || name === "..") return [`must not be '${name}'`];
  return name.startsWith("..") ? ["must not start with '..'"] : [];
}

/** Of an environment's variable: what a process can be given. */
export const variableName: NameRule = (name) => {
  if (name === "") return ["environment variable name must be non-empty"];
  return /^[\x20-\x3c\x3e-\x7e]*$/.test(name)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
};

/** Of a port, as services and probes name them (IANA_SVC_NAME). */
export const portName: NameRule = (name) => [
  ...(bytes(name) > 15 ? ["must be no more than 15 characters"] : []),
  ...(/^[-a-z0-9]+$/.test(name) ? [] : ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
  ...(/[a-z]/.test(name) ? [] : ["must contain at least one letter (a-z)"]),
  ...(name.includes("--") ? ["must not contain consecutive hyphens"] : []),
  ...(/^-|-$/.test(name) ? ["must not begin or end with a hyphen"] : []),
];

/** A name that may stand in a path: RBAC's. */
export const pathSegment: NameRule = (name) => {
  if (name === "." || name === "..") return [`may not be '${name}'`];
  return ["/", "%"].filter((mark) => name.includes(mark)).map((mark) => `may not contain '${mark}'`);
};

export const labelValue: NameRule = (value) => [
  ...(bytes(value) > 63 ? ["must be no more than 63 bytes"] : []),
  ...(LABEL_VALUE.test(value) ? [] : [LABEL_VALUE_HELP]),
];

/** `name` or `example.com/name`, as keys of labels and annotations are. */
export const qualifiedName: NameRule = (name) => {
  const parts = name.split("/");
  const own = parts.at(-1) ?? "";
  const problems: string[] = [];
  if (parts.length > 2) {
    return [
      "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ];
  }
  if (parts.length === 2) {
    const prefix = parts[0] ?? "";
    if (prefix === "") problems.push("prefix part must be non-empty");
    else problems.push(...prefixSubdomain(prefix).map((text) => `prefix part ${text}`));
  }
  if (own === "") problems.push("name part must be non-empty");
  else if (bytes(own) > 63) problems.push("name part must be no more than 63 bytes");
  if (!QUALIFIED.test(own)) problems.push(`name part ${QUALIFIED_HELP}`);
  return problems;
};

const PATH = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;
const PATH_HELP = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";

/** `acme.io/foo`. @param tell of each part that is wrong, and why */
export function domainPath(name: string, tell: (part: string, why: string) => void): void {
  const slash = name.indexOf("/");
  const [host, path] = [name.slice(0, slash), name.slice(slash + 1)];
  if (slash <= 0 || path === "") {
    tell(name, 'must be a domain-prefixed path (such as "acme.io/foo")');
    return;
  }
  for (const why of dnsSubdomain(host)) tell(host, why);
  if (!PATH.test(path)) tell(path, PATH_HELP);
}

/** The rule's complaints about a value, as errors of its field. */
export function checkName(rule: NameRule, field: string, value: Json | undefined): readonly FieldError[] {
  if (typeof value !== "string") return [];
  return rule(value).map((problem) => invalid(field, value, problem));
}

export function checkLength(field: string, value: string, longest: number): readonly FieldError[] {
  return bytes(value) > longest ? [tooLong(field, longest)] : [];
}
