import { type ServerResponse, STATUS_CODES } from "node:http";
import { NotFound } from "@boxship/base";
import { type Descriptor, decodeManifest, MANIFEST_SIZE_LIMIT } from "@boxship/oci";
import type { Call } from "../http/call.ts";
import { RepositoryStore } from "../store/repository-store.ts";
import { visibleRepositories } from "../store/visible-repositories.ts";
import { Html, html } from "./html.ts";

const PAGE = 100;
/** Of one manifest: what somebody pushed may be longer than anybody reads. */
const MOST_ROWS = 1000;
const MOST_TEXT = 4096;

/** No script runs, nothing is loaded from anywhere else, nobody frames it. */
const POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; overflow-wrap: anywhere }
thead th, td:nth-child(3) { white-space: nowrap }
code { font-size: .9em }
form { margin: 1rem 0 }
`;

/** `GET /`: people who open the registry's address find the page. */
export function home(call: Call): void {
  call.response.writeHead(302, { location: "/ui/", "content-length": "0" }).end();
}

export function styleSheet(call: Call): void {
  const { length } = STYLE;
  call.response.writeHead(200, { "content-type": "text/css", "content-length": String(length) }).end(STYLE);
}

/** `GET /ui/?q=&after=`: the repositories that the reader may pull from. */
export async function repositoriesPage(call: Call): Promise<void> {
  const visible = await call.visible();
  const [term, after] = [call.query.get("q") ?? "", call.query.get("after")];
  const wanted = (name: string) => name.includes(term.toLowerCase()) && visible(name);
  const page = { limit: PAGE, ...(after !== null && { after }) };
  const { names, more } = await visibleRepositories(call.repositories, wanted, page);
  const rows = names.map((name) => html`<tr><td><a href="${link("/ui/repository", { name })}">${name}</a></td></tr>`);
  const next = more ? link("/ui/", { q: term, after: names.at(-1) ?? "" }) : undefined;
  send(
    call,
    "Repositories",
    html`<form><input type="search" name="q" value="${term}" aria-label="Search"> <button>Search</button></form>
<table><tbody>${rows}</tbody></table>${names.length === 0 ? html`<p>There is nothing here.</p>` : undefined}${nextPage(next)}`,
  );
}

/** `GET /ui/repository?name=&after=`: the tags of one repository. */
export async function repositoryPage(call: Call): Promise<void> {
  const name = await readable(call);
  const after = call.query.get("after");
  const { repositories } = call;
  const { names, more } = await repositories.tags(name, { limit: PAGE, ...(after !== null && { after }) });
  const rows = await Promise.all(
    names.map(async (tag) => {
      const found = await repositories.manifest(name, tag).catch(() => undefined);
      if (found === undefined) return new Html("");
      const to = link("/ui/manifest", { name, reference: tag });
      return html`<tr><td><a href="${to}">${tag}</a></td><td><code>${found.digest}</code></td></tr>`;
    }),
  );
  const next = more ? link("/ui/repository", { name, after: names.at(-1) ?? "" }) : undefined;
  send(
    call,
    name,
    html`<table><thead><tr><th scope="col">Tag</th><th scope="col">Manifest</th></tr></thead><tbody>${rows}</tbody></table>
${nextPage(next)}`,
  );
}

/** `GET /ui/manifest?name=&reference=`: what a manifest is made of, and what is about it. */
export async function manifestPage(call: Call): Promise<void> {
  const name = await readable(call);
  const { repositories } = call;
  const found = await repositories.manifest(name, call.query.get("reference") ?? "");
  const bytes = await repositories.content.read(found.digest, { limit: MANIFEST_SIZE_LIMIT });
  const manifest = decodeManifest(bytes, { mediaType: found.mediaType });
  const about = await firstOf(repositories.referrers(name, found.digest), PAGE);
  const parts = manifest.kind === "index" ? manifest.manifests : [manifest.config, ...manifest.layers];
  const total = parts.reduce((sum, { size }) => sum + size, found.size);
  const annotations = Object.entries(manifest.annotations ?? {});
  send(
    call,
    `${name} ${call.query.get("reference") ?? ""}`,
    html`<p><a href="${link("/ui/repository", { name })}">${name}</a></p>
<table><tbody><tr><th scope="row">Digest</th><td><code>${found.digest}</code></td></tr>
<tr><th scope="row">Type</th><td>${found.mediaType}</td></tr><tr><th scope="row">Size</th><td>${humanSize(total)}</td></tr>
${annotations.slice(0, PAGE).map(([key, value]) => html`<tr><th scope="row">${short(key)}</th><td>${short(value)}</td></tr>`)}</tbody></table>
${unshown(annotations.length - PAGE, "annotations")}
<h2>${manifest.kind === "index" ? "Manifests" : "Configuration and layers"}</h2>
${table(name, parts.slice(0, MOST_ROWS), manifest.kind === "index")}
${unshown(parts.length - MOST_ROWS, "")}
${about.length === 0 ? undefined : html`<h2>Referrers</h2>${table(name, about, true)}`}`,
  );
}

async function firstOf<T>(items: AsyncIterable<T>, count: number): Promise<readonly T[]> {
  const first: T[] = [];
  for await (const item of items) if (first.push(item) === count) break;
  return first;
}

const short = (text: string): string => (text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text);

function unshown(count: number, what: string): Html | undefined {
  return count > 0 ? html`<p>${count} more ${what}</p>` : undefined;
}

/** Why there is no page, for whoever sees it in a browser. */
export function errorPage(response: ServerResponse, status: number, message: string): void {
  send({ response }, STATUS_CODES[status] ?? String(status), html`<p>${message}</p>`, status);
}

function table(name: string, parts: readonly Descriptor[], linked: boolean): Html {
  const rows = parts.map(({ digest, mediaType, artifactType, platform, size: bytes }) => {
    const shown = linked
      ? html`<a href="${link("/ui/manifest", { name, reference: digest })}"><code>${digest}</code></a>`
      : html`<code>${digest}</code>`;
    const what = platform === undefined ? (artifactType ?? mediaType) : `${platform.os}/${platform.architecture}`;
    return html`<tr><td>${shown}</td><td>${what}</td><td>${humanSize(bytes)}</td></tr>`;
  });
  return html`<table><tbody>${rows}</tbody></table>`;
}

/** The repository that is asked for. @throws NotFound, PermissionDenied, InvalidArgument */
async function readable(call: Call): Promise<string> {
  const name = RepositoryStore.checkName(call.query.get("name") ?? "");
  const visible = await call.visible();
  if (visible(name)) return name;
  // Whether it exists is none of the reader's business.
  throw new NotFound(`repository ${name} is not known to this registry`, { subject: { kind: "repository", name } });
}

function send({ response }: Pick<Call, "response">, title: string, content: Html, status = 200): void {
  const { text } = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><link rel="stylesheet" href="/ui/style.css"></head>
<body><nav><a href="/ui/">Repositories</a></nav><main><h1>${title}</h1>
${content}</main></body></html>
`;
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-length": String(Buffer.byteLength(text)),
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
  });
  response.end(text);
}

function nextPage(to: string | undefined): Html | undefined {
  return to === undefined ? undefined : html`<p><a href="${to}">More</a></p>`;
}

function link(path: string, query: Readonly<Record<string, string>>): string {
  return `${path}?${new URLSearchParams(query).toString()}`;
}

function humanSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${units[power]}`;
}
