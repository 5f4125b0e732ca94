import { NotFound } from "@boxship/base";
import { blobDelete } from "../routes/blob-delete.ts";
import { blobGet } from "../routes/blob-get.ts";
import { catalog } from "../routes/catalog.ts";
import { manifestDelete } from "../routes/manifest-delete.ts";
import { manifestGet } from "../routes/manifest-get.ts";
import { manifestPut } from "../routes/manifest-put.ts";
import { metricsGet } from "../routes/metrics-get.ts";
import { referrers } from "../routes/referrers.ts";
import { search } from "../routes/search.ts";
import { tagsList } from "../routes/tags-list.ts";
import { tokenGet, tokenPost } from "../routes/token.ts";
import { uploadCancel } from "../routes/upload-cancel.ts";
import { uploadPatch } from "../routes/upload-patch.ts";
import { uploadPut } from "../routes/upload-put.ts";
import { uploadStart } from "../routes/upload-start.ts";
import { uploadStatus } from "../routes/upload-status.ts";
import { version } from "../routes/version.ts";
import { RepositoryStore } from "../store/repository-store.ts";
import { home, manifestPage, repositoriesPage, repositoryPage, styleSheet } from "../ui/pages.ts";
import type { Call } from "./call.ts";

export type Route = (call: Call) => void | Promise<void>;
export type Methods = Readonly<Record<string, Route>>;

export interface Found {
  /** For metrics: never a name that a client chose. */
  readonly name: string;
  readonly methods: Methods;
  /** Empty for routes without one. */
  readonly repository: string;
  readonly reference: string;
}

/** The path behind the repository's name, with what it leads to (OCI distribution spec 1.1, "Endpoints"). */
const WITHIN: readonly { readonly name: string; readonly pattern: RegExp; readonly methods: Methods }[] = [
  {
    name: "manifest",
    pattern: /^\/v2\/(.+)\/manifests\/([^/]+)$/,
    methods: { GET: manifestGet, PUT: manifestPut, DELETE: manifestDelete },
  },
  { name: "uploads", pattern: /^\/v2\/(.+)\/blobs\/uploads\/?()$/, methods: { POST: uploadStart } },
  {
    name: "upload",
    pattern: /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/,
    methods: { GET: uploadStatus, PATCH: uploadPatch, PUT: uploadPut, DELETE: uploadCancel },
  },
  {
    name: "blob",
    pattern: /^\/v2\/(.+)\/blobs\/([^/]+)$/,
    methods: { GET: blobGet, DELETE: blobDelete },
  },
  { name: "tags", pattern: /^\/v2\/(.+)\/tags\/list()$/, methods: { GET: tagsList } },
  { name: "referrers", pattern: /^\/v2\/(.+)\/referrers\/([^/]+)$/, methods: { GET: referrers } },
];

const WHOLE: Readonly<Record<string, Pick<Found, "name" | "methods">>> = {
  "/v2": { name: "version", methods: { GET: version } },
  "/v2/": { name: "version", methods: { GET: version } },
  "/token": { name: "token", methods: { GET: tokenGet, POST: tokenPost } },
  "/v2/_catalog": { name: "catalog", methods: { GET: catalog } },
  "/v1/search": { name: "search", methods: { GET: search } },
  "/metrics": { name: "metrics", methods: { GET: metricsGet } },
  "/": { name: "page", methods: { GET: home } },
  "/ui/": { name: "page", methods: { GET: repositoriesPage } },
  "/ui/repository": { name: "page", methods: { GET: repositoryPage } },
  "/ui/manifest": { name: "page", methods: { GET: manifestPage } },
  "/ui/style.css": { name: "style", methods: { GET: styleSheet } },
};

/** @throws NotFound, InvalidArgument for a repository's name that is none */
export function findRoute(encoded: string): Found {
  const path = decoded(encoded);
  const whole = Object.hasOwn(WHOLE, path) ? WHOLE[path] : undefined;
  if (whole !== undefined) return { ...whole, repository: "", reference: "" };
  for (const { name, pattern, methods } of WITHIN) {
    const match = pattern.exec(path);
    if (match === null) continue;
    return {
      name,
      methods,
      repository: RepositoryStore.checkName(match[1] ?? ""),
      reference: match[2] ?? "",
    };
  }
  throw unknownPath(path);
}

export function unknownPath(path: string): NotFound {
  return new NotFound(`${path} is no path of a registry`, { subject: { kind: "path", name: path } });
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw unknownPath(path);
  }
}
