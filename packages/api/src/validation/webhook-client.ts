import type { Json } from "../object/json.ts";
import { textAt, valueAt } from "../object/kube-object.ts";
import { type FieldError, invalid, required } from "../status/field-error.ts";

/** What is wrong with how a webhook is to be reached. */
export function validateWebhookClient(config: Json | undefined, path: string): readonly FieldError[] {
  const url = valueAt(config, "url");
  const service = valueAt(config, "service");
  if ((url === undefined) === (service === undefined))
    return [required(path, "exactly one of url or service is required")];
  if (service === undefined) return validateUrl(textAt(url), `${path}.url`);
  const errors: FieldError[] = [];
  for (const field of ["name", "namespace"])
    if (textAt(service, field) === "")
      errors.push(required(`${path}.service.${field}`, `service ${field} is required`));
  const port = Number(valueAt(service, "port") ?? 443);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    errors.push(invalid(`${path}.service.port`, port, "port is not valid: must be between 1 and 65535, inclusive"));
  const way = textAt(service, "path");
  if (way !== "" && !way.startsWith("/")) errors.push(invalid(`${path}.service.path`, way, "must start with a '/'"));
  return errors;
}

function validateUrl(text: string, path: string): readonly FieldError[] {
  const form = "; desired format: https://host[/path]";
  if (!URL.canParse(text)) return [required(path, `url must be a valid URL: parse ${JSON.stringify(text)}${form}`)];
  const url = new URL(text);
  const bad = (why: string): FieldError => invalid(path, text, `${why}${form}`);
  return [
    ...(url.protocol === "https:" ? [] : [bad("'https' is the only allowed URL scheme")]),
    ...(url.username === "" ? [] : [bad("user information is not permitted in the URL")]),
    ...(url.hash === "" ? [] : [bad("fragments are not permitted in the URL")]),
    ...(url.search === "" ? [] : [bad("query parameters are not permitted in the URL")]),
  ];
}
