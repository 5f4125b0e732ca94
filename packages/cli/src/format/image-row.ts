import { goTime } from "./go-time.ts";
import { parseImageName, shortId } from "./image-name.ts";
import type { RowType } from "./row.ts";
import { humanDuration, humanSize } from "./units.ts";

/** An image as the engine lists it. */
export interface ListedImage {
  readonly Id: string;
  readonly RepoTags?: readonly string[] | null;
  readonly RepoDigests?: readonly string[] | null;
  readonly Created: number;
  readonly Size: number;
  readonly SharedSize?: number;
  readonly Containers?: number;
}

/** One line of the list: an image under one of its names. */
export interface ImageLine {
  readonly image: ListedImage;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

const NONE = "<none>";

/** Tags, and digests, of an image by repository, in the engine's order. */
function byRepository(names: readonly string[], part: "tag" | "digest"): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const text of names) {
    const name = parseImageName(text);
    const value = name?.[part];
    if (name === undefined || value === undefined) continue;
    const group = groups.get(name.repository) ?? [];
    groups.set(name.repository, [...group, value]);
  }
  return groups;
}

function isDangling({ RepoTags, RepoDigests }: ListedImage): boolean {
  const tags = RepoTags ?? [];
  const digests = RepoDigests ?? [];
  if (tags.length === 0 && digests.length === 0) return true;
  return tags.length === 1 && tags[0] === "<none>:<none>" && digests.length === 1 && digests[0] === "<none>@<none>";
}

/** The lines of one image: one per tag, with digests one per tag and digest. */
export function imageLines(image: ListedImage, withDigests: boolean, showsDigest: boolean): readonly ImageLine[] {
  if (isDangling(image)) return [{ image, repository: NONE, tag: NONE, digest: NONE }];
  const tags = byRepository(image.RepoTags ?? [], "tag");
  const digests = byRepository(image.RepoDigests ?? [], "digest");
  const lines: ImageLine[] = [];
  for (const [repository, repositoryTags] of tags) {
    const shown = showsDigest ? (digests.get(repository) ?? []) : [];
    digests.delete(repository);
    for (const tag of repositoryTags) {
      for (const digest of shown.length === 0 ? [NONE] : shown) lines.push({ image, repository, tag, digest });
    }
  }
  for (const [repository, repositoryDigests] of digests) {
    for (const digest of withDigests ? repositoryDigests : [""]) lines.push({ image, repository, tag: NONE, digest });
  }
  return lines;
}

const sizeOrNone = (size: number | undefined): string => (size === undefined || size === -1 ? "N/A" : humanSize(size));

export const imageRow: RowType<ImageLine> = {
  goName: "formatter.imageContext",
  columns: {
    Containers: {
      header: "CONTAINERS",
      value: ({ image }) =>
        image.Containers === undefined || image.Containers === -1 ? "N/A" : String(image.Containers),
    },
    CreatedAt: { header: "CREATED AT", value: ({ image }) => goTime(image.Created) },
    CreatedSince: {
      header: "CREATED",
      value: ({ image }, { now }) => `${humanDuration(now - image.Created * 1000)} ago`,
    },
    Digest: { header: "DIGEST", value: ({ digest }) => digest },
    ID: { header: "IMAGE ID", value: ({ image }, { truncate }) => (truncate ? shortId(image.Id) : image.Id) },
    Repository: { header: "REPOSITORY", value: ({ repository }) => repository },
    SharedSize: { header: "SHARED SIZE", value: ({ image }) => sizeOrNone(image.SharedSize) },
    Size: { header: "SIZE", value: ({ image }) => humanSize(image.Size, 3) },
    Tag: { header: "TAG", value: ({ tag }) => tag },
    UniqueSize: {
      header: "UNIQUE SIZE",
      value: ({ image: { Size, SharedSize = -1 } }) =>
        Size === -1 || SharedSize === -1 ? "N/A" : humanSize(Size - SharedSize),
    },
    VirtualSize: { header: "SIZE", value: ({ image }) => humanSize(image.Size) },
  },
};

const CREATED = "{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}";
const TABLE = `table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t${CREATED}\t{{.Size}}`;
const DIGEST_TABLE = `table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t${CREATED}\t{{.Size}}`;

function rawFormat(digests: boolean): string {
  return `repository: {{ .Repository }}
tag: {{.Tag}}
${digests ? "digest: {{.Digest}}\n" : ""}image_id: {{.ID}}
created_at: {{.CreatedAt}}
virtual_size: {{.Size}}
`;
}

/** The template of a list of images. */
export function imageFormat(format: string, quiet: boolean, digests: boolean): string {
  if (format === "table") return quiet ? "{{.ID}}" : digests ? DIGEST_TABLE : TABLE;
  if (format === "raw") return quiet ? "image_id: {{.ID}}" : rawFormat(digests);
  const addsDigest = format.startsWith("table") && digests && !format.includes("{{.Digest}}");
  return addsDigest ? `${format}\t{{.Digest}}` : format;
}
