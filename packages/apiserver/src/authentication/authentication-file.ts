import { isObject, type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage, InvalidArgument } from "@boxship/base";
import { parseYaml } from "../http/parse-yaml.ts";

/** Where a part of a user comes from. */
export interface ClaimMapping {
  readonly claim: string;
  /** Put before what the claim says. */
  readonly prefix: string;
}

export interface JwtRule {
  readonly issuer: string;
  /** @default the issuer's well-known one */
  readonly discoveryUrl?: string;
  /** PEM. @default the system's */
  readonly authority?: string;
  readonly audiences: readonly string[];
  readonly requiredClaims: readonly { readonly claim: string; readonly value: string }[];
  readonly username: ClaimMapping;
  readonly groups?: ClaimMapping;
  readonly uid?: string;
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
  mapping: ["claim", "prefix"],
  uid: ["claim"],
  rule: ["claim", "requiredValue"],
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
  if (listAt(rule, "userValidationRules").length > 0) throw wrong(`${path}.userValidationRules is not supported`);
  const issuer = objectOf(rule["issuer"], `${path}.issuer`, "issuer");
  const url = httpsUrl(textAt(issuer, "url"), `${path}.issuer.url`);
  const discovery = textAt(issuer, "discoveryURL");
  const audiences = listAt(issuer, "audiences").map(String);
  if (audiences.length === 0) throw wrong(`${path}.issuer.audiences must name at least one`);
  const policy = textAt(issuer, "audienceMatchPolicy");
  if (audiences.length > 1 && policy !== "MatchAny")
    throw wrong(`${path}.issuer.audienceMatchPolicy must be MatchAny for several audiences`);
  const mappings = objectOf(rule["claimMappings"], `${path}.claimMappings`, "claimMappings");
  const [username, groups] = ["username", "groups"].map((name) =>
    mapping(mappings[name], `${path}.claimMappings.${name}`),
  );
  if (username === undefined) throw wrong(`${path}.claimMappings.username is required`);
  const uid =
    mappings["uid"] === undefined ? "" : textAt(objectOf(mappings["uid"], `${path}.claimMappings.uid`, "uid"), "claim");
  const authority = textAt(issuer, "certificateAuthority");
  if (mappings["extra"] !== undefined) throw wrong(`${path}.claimMappings.extra is not supported`);
  return {
    issuer: url,
    ...(discovery === "" ? {} : { discoveryUrl: httpsUrl(discovery, `${path}.issuer.discoveryURL`) }),
    ...(authority === "" ? {} : { authority }),
    audiences,
    requiredClaims: listAt(rule, "claimValidationRules").map((one, index) => {
      const required = objectOf(one, `${path}.claimValidationRules[${index}]`, "rule");
      return { claim: textAt(required, "claim"), value: textAt(required, "requiredValue") };
    }),
    username,
    ...(groups === undefined ? {} : { groups }),
    ...(uid === "" ? {} : { uid }),
  };
}

function mapping(value: Json | undefined, path: string): ClaimMapping | undefined {
  if (value === undefined) return undefined;
  const found = objectOf(value, path, "mapping");
  const claim = textAt(found, "claim");
  if (claim === "") throw wrong(`${path}.claim is required`);
  if (typeof valueAt(found, "prefix") !== "string") throw wrong(`${path}.prefix is required; it may be ""`);
  return { claim, prefix: textAt(found, "prefix") };
}

function httpsUrl(text: string, path: string): string {
  if (!URL.canParse(text) || new URL(text).protocol !== "https:") throw wrong(`${path} is no URL of https`);
  return text;
}
