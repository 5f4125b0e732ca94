import { isObject, type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage, InvalidArgument } from "@boxship/base";
import { parseYaml } from "../http/parse-yaml.ts";
import { claimsExpression, type Expression, type ExpressionRule, userExpression } from "./claim-expressions.ts";

/** A claim that a part of a user comes from. */
export interface NamedClaim {
  readonly claim: string;
  /** Put before what the claim says. */
  readonly prefix: string;
}

/** Where a part of a user comes from. */
export type ClaimMapping = NamedClaim | Expression;

export interface JwtRule {
  readonly issuer: string;
  /** @default the issuer's well-known one */
  readonly discoveryUrl?: string;
  /** PEM. @default the system's */
  readonly authority?: string;
  readonly audiences: readonly string[];
  readonly requiredClaims: readonly { readonly claim: string; readonly value: string }[];
  /** What must hold of the claims. */
  readonly claimRules: readonly ExpressionRule[];
  readonly username: ClaimMapping;
  readonly groups?: ClaimMapping;
  readonly uid?: ClaimMapping;
  readonly extra: readonly { readonly key: string; readonly value: Expression }[];
  /** What must hold of the user that the claims make. */
  readonly userRules: readonly ExpressionRule[];
}

/** `apiserver.config.k8s.io/v1.AuthenticationConfiguration` */
export interface AuthenticationFile {
  readonly jwt: readonly JwtRule[];
  readonly anonymous: {
    readonly enabled: boolean;
    /** Paths that nobody's requests may ask for. @default all */
    readonly paths?: readonly string[];
  };
}

export const DEFAULT_AUTHENTICATION: AuthenticationFile = { jwt: [], anonymous: { enabled: true } };

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  "": ["apiVersion", "kind", "jwt", "anonymous"],
  anonymous: ["enabled", "conditions"],
  jwt: ["issuer", "claimValidationRules", "claimMappings", "userValidationRules"],
  issuer: ["url", "discoveryURL", "certificateAuthority", "audiences", "audienceMatchPolicy"],
  claimMappings: ["username", "groups", "uid", "extra"],
  mapping: ["claim", "prefix", "expression"],
  uid: ["claim", "expression"],
  extra: ["key", "valueExpression"],
  rule: ["claim", "requiredValue", "expression", "message"],
  userRule: ["expression", "message"],
};

const VERSIONS = ["v1", "v1beta1", "v1alpha1"].map((version) => `apiserver.config.k8s.io/${version}`);

/** @throws InvalidArgument naming the field */
export function parseAuthenticationFile(text: string): AuthenticationFile {
  let document: Json;
  try {
    document = parseYaml(text);
  } catch (error) {
    throw wrong(errorMessage(error));
  }
  const file = objectOf(document, "", "");
  if (!VERSIONS.includes(textAt(file, "apiVersion")) || textAt(file, "kind") !== "AuthenticationConfiguration")
    throw wrong(`it is no AuthenticationConfiguration of ${VERSIONS[0]}`);
  const jwt = listAt(file, "jwt").map((one, index) => jwtRule(one, `jwt[${index}]`));
  const issuers = jwt.map(({ issuer }) => issuer);
  const twice = issuers.find((issuer, index) => issuers.indexOf(issuer) !== index);
  if (twice !== undefined) throw wrong(`the issuer ${twice} is there twice`);
  if (file["anonymous"] === undefined) return { jwt, anonymous: { enabled: true } };
  const anonymous = objectOf(file["anonymous"], "anonymous", "anonymous");
  const conditions = listAt(anonymous, "conditions");
  const paths = conditions.length === 0 ? {} : { paths: conditions.map((one) => textAt(one, "path")) };
  return { jwt, anonymous: { enabled: anonymous["enabled"] === true, ...paths } };
}

const wrong = (what: string): Error => new InvalidArgument(`the authentication configuration is wrong: ${what}`);

/** An object with no other fields than its kind has. */
function objectOf(value: Json | undefined, path: string, kind: string): JsonObject {
  if (!isObject(value)) throw wrong(`${path || "it"} is no object`);
  const unknown = Object.keys(value).find((field) => !KNOWN[kind]?.includes(field));
  if (unknown !== undefined) throw wrong(`${path === "" ? unknown : `${path}.${unknown}`} is not supported`);
  return value;
}

function jwtRule(value: Json, path: string): JwtRule {
  const rule = objectOf(value, path, "jwt");
  const issuer = objectOf(rule["issuer"], `${path}.issuer`, "issuer");
  const url = httpsUrl(textAt(issuer, "url"), `${path}.issuer.url`);
  const discovery = textAt(issuer, "discoveryURL");
  const audiences = listAt(issuer, "audiences").map(String);
  if (audiences.length === 0) throw wrong(`${path}.issuer.audiences must name at least one`);
  const policy = textAt(issuer, "audienceMatchPolicy");
  if (audiences.length > 1 && policy !== "MatchAny")
    throw wrong(`${path}.issuer.audienceMatchPolicy must be MatchAny for several audiences`);
  const authority = textAt(issuer, "certificateAuthority");
  const mapped = claimMappings(objectOf(rule["claimMappings"], `${path}.claimMappings`, "claimMappings"), path);
  const rules = listAt(rule, "claimValidationRules").map((one, index) =>
    claimRule(
      objectOf(one, `${path}.claimValidationRules[${index}]`, "rule"),
      `${path}.claimValidationRules[${index}]`,
    ),
  );
  const claimRules = rules.filter((one) => "expression" in one);
  checkEmail(mapped, claimRules, path);
  return {
    issuer: url,
    ...(discovery === "" ? {} : { discoveryUrl: httpsUrl(discovery, `${path}.issuer.discoveryURL`) }),
    ...(authority === "" ? {} : { authority }),
    audiences,
    requiredClaims: rules.filter((one) => "claim" in one),
    claimRules,
    ...mapped,
    userRules: listAt(rule, "userValidationRules").map((one, index) => {
      const at = `${path}.userValidationRules[${index}]`;
      const found = objectOf(one, at, "userRule");
      return { expression: compiled(found, `${at}.expression`, userExpression), message: textAt(found, "message") };
    }),
  };
}

type Mapped = Pick<JwtRule, "username" | "groups" | "uid" | "extra">;

function claimMappings(mappings: JsonObject, path: string): Mapped {
  const at = (field: string): string => `${path}.claimMappings.${field}`;
  const username = mapping(mappings["username"], at("username"));
  if (username === undefined) throw wrong(`${at("username")} is required`);
  const groups = mapping(mappings["groups"], at("groups"));
  const uid = mappings["uid"] === undefined ? undefined : objectOf(mappings["uid"], at("uid"), "uid");
  const keys = new Set<string>();
  const extra = listAt(mappings, "extra").map((one, index) => {
    const found = objectOf(one, at(`extra[${index}]`), "extra");
    const key = textAt(found, "key");
    if (!/^[a-z0-9.-]+\/[^A-Z]+$/.test(key))
      throw wrong(`${at(`extra[${index}].key`)} is no path of a domain in small letters`);
    if (/^(?:[^/]*\.)?(?:kubernetes|k8s)\.io\//.test(key))
      throw wrong(`${at(`extra[${index}].key`)} is Kubernetes' own`);
    if (keys.has(key)) throw wrong(`${at(`extra[${index}].key`)} is there twice`);
    keys.add(key);
    const what = at(`extra[${index}].valueExpression`);
    return { key, value: compiled({ expression: found["valueExpression"] ?? "" }, what, claimValue) };
  });
  return {
    username,
    ...(groups === undefined ? {} : { groups }),
    ...(uid === undefined
      ? {}
      : { uid: claimOrExpression(uid, at("uid")) ?? { claim: textAt(uid, "claim"), prefix: "" } }),
    extra,
  };
}

const claimValue = (text: string): Expression => claimsExpression(text, "value");
const claimCondition = (text: string): Expression => claimsExpression(text, "condition");

function compiled(from: JsonObject, path: string, compile: (text: string) => Expression): Expression {
  const text = textAt(from, "expression");
  if (text === "") throw wrong(`${path} is required`);
  try {
    return compile(text);
  } catch (error) {
    throw wrong(`${path} cannot be compiled: ${errorMessage(error)}`);
  }
}

function claimRule(
  rule: JsonObject,
  path: string,
): ExpressionRule | { readonly claim: string; readonly value: string } {
  const [claim, value, message] = ["claim", "requiredValue", "message"].map((field) => textAt(rule, field));
  const expression = claimOrExpression(rule, path, claimCondition);
  if (expression !== undefined && value) throw wrong(`${path}.requiredValue may not be beside an expression`);
  if (expression !== undefined) return { expression, message: message ?? "" };
  if (message) throw wrong(`${path}.message may not be beside a claim`);
  return { claim: claim ?? "", value: value ?? "" };
}

/** @returns undefined for one that names a claim */
function claimOrExpression(
  from: JsonObject,
  path: string,
  compile: (text: string) => Expression = claimValue,
): Expression | undefined {
  const [claim, text] = [textAt(from, "claim"), textAt(from, "expression")];
  if (claim !== "" && text !== "") throw wrong(`${path} has both a claim and an expression`);
  if (claim === "" && text === "") throw wrong(`${path} needs a claim or an expression`);
  return text === "" ? undefined : compiled(from, `${path}.expression`, compile);
}

/** Whoever goes by the address of mail has to look whether the issuer has verified it. */
function checkEmail({ username, extra }: Mapped, rules: readonly ExpressionRule[], path: string): void {
  if (!("text" in username) || !/\bclaims\s*\.\s*\??\s*email\b/.test(username.text)) return;
  const all = [username, ...extra.map(({ value }) => value), ...rules.map(({ expression }) => expression)];
  if (all.some(({ text }) => /\bclaims\s*\.\s*\??\s*email_verified\b/.test(text))) return;
  throw wrong(
    `${path}.claimMappings.username.expression uses claims.email, and nothing looks at claims.email_verified`,
  );
}

function mapping(value: Json | undefined, path: string): ClaimMapping | undefined {
  if (value === undefined) return undefined;
  const found = objectOf(value, path, "mapping");
  const expression = claimOrExpression(found, path);
  const prefix = valueAt(found, "prefix");
  if (expression !== undefined && prefix !== undefined) throw wrong(`${path}.prefix may not be beside an expression`);
  if (expression !== undefined) return expression;
  if (typeof prefix !== "string") throw wrong(`${path}.prefix is required; it may be ""`);
  return { claim: textAt(found, "claim"), prefix };
}

function httpsUrl(text: string, path: string): string {
  if (!URL.canParse(text) || new URL(text).protocol !== "https:") throw wrong(`${path} is no URL of https`);
  return text;
}
