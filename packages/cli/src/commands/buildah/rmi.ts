import { isNotFound } from "../../api-client/api-error.ts";
import { defineBuildah, imageName } from "../../buildah/buildah-command.ts";
import { bareId, listWorking, workingPath } from "../../buildah/working-api.ts";
import { type Context, print } from "../../context.ts";
import { Failure } from "../../failure.ts";
import { bool } from "../../flags/flag.ts";
import { fullName, parseImageName } from "../../format/image-name.ts";
import { imagePath } from "../../shared/container-path.ts";
import { throwAll } from "../../shared/operate-on-each.ts";

interface Removed {
  readonly Untagged?: string;
  readonly Deleted?: string;
}

export const command = defineBuildah({
  usage: "[OPTIONS] IMAGE...",
  summary: "Remove one or more images from local storage",
  flags: {
    all: bool("Remove all images", { short: "a" }),
    force: bool("Force removal of the image and any containers using the image", { short: "f" }),
    prune: bool("Prune dangling images", { short: "p" }),
  },
  async run(context, { flags, operands }) {
    if (operands.length === 0 && !flags.all && !flags.prune) throw new Failure("image name or ID must be specified");
    if (operands.length > 0 && (flags.all || flags.prune)) {
      throw new Failure("when using the --all or --prune switch, you may not pass any images names or IDs");
    }
    const failures: Failure[] = [];
    for (const name of operands.length > 0 ? operands : await listed(context, flags.prune)) {
      try {
        await remove(context, name, flags.force);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        failures.push(isNotFound(error) ? new Failure(`${name}: image not known`) : error);
      }
    }
    throwAll(failures);
  },
});

async function listed(context: Context, dangling: boolean): Promise<readonly string[]> {
  const filters = dangling ? JSON.stringify({ dangling: ["true"] }) : undefined;
  const images = await context.api.json<readonly { readonly Id: string }[]>("GET", "/images/json", {
    query: { all: true, filters },
  });
  return images.map(({ Id }) => Id);
}

async function remove(context: Context, name: string, force: boolean): Promise<void> {
  const image = imageName(name);
  const found = await context.api.json<{ readonly Id: string; readonly RepoTags?: readonly string[] }>(
    "GET",
    imagePath(image, "/json"),
  );
  const users = (await listWorking(context)).filter(({ fromImageId }) => fromImageId === found.Id);
  const isLast = (found.RepoTags ?? []).length <= 1 || bareId(found.Id).startsWith(bareId(image));
  const [user] = isLast ? users : [];
  if (user !== undefined && !force) {
    throw new Failure(`image used by ${user.id}: image is in use by a container`, {
      remedy: `remove it first (boxship buildah rm ${user.name}), or use --force`,
    });
  }
  if (force && isLast) for (const { id } of users) await context.api.call("DELETE", workingPath(id));
  const removed = await context.api.json<readonly Removed[]>("DELETE", imagePath(image), { query: { force } });
  for (const { Untagged, Deleted } of removed) {
    const tag = Untagged === undefined ? undefined : parseImageName(Untagged);
    if (tag !== undefined && tag.digest === undefined) print(context, `untagged: ${fullName(tag)}`);
    // Its layers have no ids in buildah's words.
    if (Deleted === found.Id) print(context, bareId(Deleted));
  }
}
