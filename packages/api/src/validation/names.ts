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

const bytes = (text: string): number => Buffer.byteLength(text);

/** What is wrong with a name, a sentence each; empty: nothing. */
export type NameRule = (name: string) => readonly string[];

const nameRule =
  (pattern: RegExp, longest: number, help: string): NameRule =>
  (name) => [
    ...(bytes(name) > longest ? [`must be no more than ${longest} bytes`] : []),
    ...(pattern.test(name) ? [] : [help]),
  ];

export const dnsLabel = nameRule(LABEL, 63, LABEL_HELP);
export const dnsSubdomain = nameRule(SUBDOMAIN, 253, SUBDOMAIN_HELP);
export const dns1035Label = nameRule(LABEL_1035, 63, LABEL_1035_HELP);

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
      "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ];
  }
  if (parts.length === 2) {
    const prefix = parts[0] ?? "";
    if (prefix === "") problems.push("prefix part must be non-empty");
    else problems.push(...dnsSubdomain(prefix).map((text) => `prefix part ${text}`));
  }
  if (own === "") problems.push("name part must be non-empty");
  else if (bytes(own) > 63) problems.push("name part must be no more than 63 bytes");
  if (!QUALIFIED.test(own)) problems.push(`name part ${QUALIFIED_HELP}`);
  return problems;
};

/** The rule's complaints about a value, as errors of its field. */
export function checkName(rule: NameRule, field: string, value: Json | undefined): readonly FieldError[] {
  if (typeof value !== "string") return [];
  return rule(value).map((problem) => invalid(field, value, problem));
}

export function checkLength(field: string, value: string, longest: number): readonly FieldError[] {
  return bytes(value) > longest ? [tooLong(field, longest)] : [];
}
