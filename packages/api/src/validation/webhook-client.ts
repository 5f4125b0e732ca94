import type { Json } from "../object/json.ts";
import { textAt, valueAt } from "../object/kube-object.ts";
import { type FieldError, invalid, required } from "../status/field-error.ts";
import { dnsSubdomain } from "./names.ts";

/** What is wrong with how a webhook is to be reached. */
export function validateWebhookClient(config: Json | undefined, path: string): readonly FieldError[] {
  const url = valueAt(config, "url") ?? undefined;
  const service = valueAt(config, "service") ?? undefined;
  if ((url === undefined) === (service === undefined))
    return [required(path, "exactly one of url or service is required")];
  return service === undefined
    ? validateUrl(textAt(url), `${path}.url`)
    : validateWebhookService(service, `${path}.service`);
}

function validateWebhookService(service: Json, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  // Upstream says of each what is missing of the other.
  if (textAt(service, "namespace") === "") errors.push(required(`${path}.name`));
  if (textAt(service, "name") === "") errors.push(required(`${path}.namespace`));
  const port = Number(valueAt(service, "port") ?? 443);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    errors.push(invalid(`${path}.port`, port, "port is not valid: must be between 1 and 65535, inclusive"));
  return [...errors, ...pathErrors(textAt(service, "path"), `${path}.path`)];
}

function pathErrors(way: string, path: string): readonly FieldError[] {
  if (way === "" || way === "/") return [];
  if (way === "//") return [invalid(path, way, "segment[0] may not be empty")];
  const errors = way.startsWith("/") ? [] : [invalid(path, way, "must start with a '/'")];
  for (const [index, step] of way.slice(1).replace(/\/$/, "").split("/").entries()) {
    if (step === "") errors.push(invalid(path, way, `segment[${index}] may not be empty`));
    else for (const problem of dnsSubdomain(step)) errors.push(invalid(path, way, `segment[${index}]: ${problem}`));
  }
  return errors;
}

const FORM = "; desired format: https://host[/path]";

function validateUrl(text: string, path: string): readonly FieldError[] {
  const problem = urlProblem(text);
  if (problem !== undefined)
    return [required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: ${problem}${FORM}`)];
  const { scheme, user, host, query, fragment } = partsOf(text);
  return [
    ...(scheme === "https" ? [] : [invalid(path, scheme, `'https' is the only allowed URL scheme${FORM}`)]),
    ...(host === "" ? [invalid(path, host, `host must be specified${FORM}`)] : []),
    ...(user === undefined ? [] : [invalid(path, user, "user information is not permitted in the URL")]),
    ...(fragment === "" ? [] : [invalid(path, fragment, "fragments are not permitted in the URL")]),
    ...(query === "" ? [] : [invalid(path, query, "query parameters are not permitted in the URL")]),
  ];
}

const URL_PARTS =
  /^(?:(?<scheme>[A-Za-z][-+.A-Za-z0-9]*):)?(?:\/\/(?:(?<user>[^/?#]*)@)?(?<host>[^/?#]*))?(?<rest>[^?#]*)(?:\?(?<query>[^#]*))?(?:#(?<fragment>.*))?$/s;

function partsOf(text: string) {
  const { scheme = "", user, host = "", rest = "", query = "", fragment = "" } = URL_PARTS.exec(text)?.groups ?? {};
  return { scheme: scheme.toLowerCase(), user, host, rest, query, fragment };
}

/** Why a text is no URL, as Go's parser has it. */
function urlProblem(text: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) return "net/url: invalid control character in URL";
  if (text.startsWith(":")) return "missing protocol scheme";
  const { scheme, host, rest } = partsOf(text);
  if (scheme === "" && host === "" && /^[^/]*:/.test(rest)) return "first path segment in URL cannot contain colon";
  const port = /:(?<port>[^:\]]*)$/.exec(host)?.groups?.["port"];
  if (port !== undefined && !/^\d*$/.test(port)) return `invalid port ${JSON.stringify(`:${port}`)} after host`;
  const odd = /[\s"<>\\^`{|}]/.exec(host)?.[0];
  if (odd !== undefined) return `invalid character ${JSON.stringify(odd)} in host name`;
  const escape = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(rest)?.[0];
  return escape === undefined ? undefined : `invalid URL escape ${JSON.stringify(escape)}`;
}
