import { randomInt } from "node:crypto";
import { InvalidArgument } from "@boxship/base";

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Checks a name that a user gave; a leading slash is dropped. */
export function parseContainerName(name: string): string {
  const bare = name.startsWith("/") ? name.slice(1) : name;
  if (!NAME.test(bare)) {
    throw new InvalidArgument(`Invalid container name (${bare}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`, {
      subject: { kind: "container", name: bare },
    });
  }
  return bare;
}

const MOODS = (
  "able agile airy alert amber ample azure balmy bold brave breezy bright brisk broad calm candid careful cheery clear " +
  "clever cosy crisp daring deft eager early easy even fair fleet fond frank fresh gentle glad golden grand hardy hasty " +
  "honest humble jolly keen kind lively loyal lucky mellow merry mighty modest neat nimble noble patient placid plucky " +
  "polite prime proud quick quiet rapid ready robust rosy salty serene sharp silver sleek smooth snug sober solid spry " +
  "stable staunch steady stout sturdy sunny sure swift tidy tough trim trusty upright vivid warm wise witty zesty"
).split(" ");

const VESSELS = (
  "argosy barge bark barque bawley bireme boat brig caique canoe caravel carrack catboat clipper cog coaster coble coracle " +
  "corvette currach cutter dhow dinghy dory drifter dromond felucca ferry frigate galleass galleon galley galiot gondola " +
  "gundalow hoy hulk jolly junk kayak keelboat ketch knarr launch liner longship lorcha lugger mule nao nef packet pilot " +
  "pinnace piroga pontoon pram prau proa punt raft ram rowboat sampan schooner scow scull shallop ship skiff skipjack " +
  "sloop smack snow steamer tanker tartane tender tjalk trawler trireme tug umiak wherry whaler xebec yacht yawl zebec"
).split(" ");

/** Makes up a name that is not taken, e.g. `brisk_ketch`. */
export function generateContainerName(taken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const name = `${MOODS[randomInt(MOODS.length)]}_${VESSELS[randomInt(VESSELS.length)]}`;
    const candidate = attempt < 6 ? name : `${name}${randomInt(1000)}`;
    if (!taken(candidate)) return candidate;
  }
}
