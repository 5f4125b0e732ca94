import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Cluster, kubectl, repositoryRoot, startCluster } from "@boxship/testkit";
import { packagedServices, servicesAbsent } from "./packaged-services.ts";
import { onSocket } from "./programs.ts";

const EXAMPLE = join(repositoryRoot, "examples/wordpress");
/** What a reader may want to look at afterwards. */
const ARTIFACTS = join(repositoryRoot, ".cache/test-artifacts");
/** The example's packages, unpacked by the setup. */
const PACKAGES = join(repositoryRoot, ".cache/wordpress/root");
/** As the example says: a gigabyte of packages is installed, a browser among them. `npm run soak` does it. */
const asWritten = process.env["BOXSHIP_WORDPRESS"] !== undefined;

function whySkipped(): string | false {
  if (kubectl("", "") === undefined) return "kubectl cannot be had here";
  return asWritten || existsSync(PACKAGES) ? false : "the packages of WordPress cannot be had here";
}

const LOGIN = { user: "author", password: "a long password of mine" };

/** A form, as a browser sends it. */
async function send(url: string, fields: Readonly<Record<string, string>>): Promise<string> {
  const response = await fetch(url, { method: "POST", body: new URLSearchParams(fields) });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text;
}

/** A call of WordPress's XML-RPC. */
async function publish(address: string, title: string): Promise<string> {
  const value = (text: string) => `<value><string>${text}</string></value>`;
  const member = (name: string, text: string) => `<member><name>${name}</name>${value(text)}</member>`;
  const post = `<value><struct>${member("post_title", title)}${member("post_content", "It is there.")}${member("post_status", "publish")}</struct></value>`;
  const params = [value("1"), value(LOGIN.user), value(LOGIN.password), post];
  const body = `<?xml version="1.0"?><methodCall><methodName>wp.newPost</methodName><params>${params.map((one) => `<param>${one}</param>`).join("")}</params></methodCall>`;
  const response = await fetch(`${address}/xmlrpc.php`, { method: "POST", body });
  const text = await response.text();
  const [, id] = /<string>(\d+)<\/string>/.exec(text) ?? [];
  assert.ok(id !== undefined, text);
  return id;
}

/** Waits until the service leads to a pod that answers: what is ready is not at once what the service knows. */
async function answers(address: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    const response = await fetch(address).catch(() => undefined);
    await response?.arrayBuffer();
    if (response?.status === 200) return;
    assert.ok(tries < 600, `${address} does not answer`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

async function ready(cluster: Cluster): Promise<void> {
  for (const name of ["wordpress-mysql", "wordpress"]) {
    await cluster.kube("rollout", "status", `deployment/${name}`, "--timeout=300s");
  }
}

type Command = (...args: readonly string[]) => Promise<string>;

/** From the distribution's packages: installed by their own scripts, or unpacked only. */
async function buildImages(ok: Command): Promise<void> {
  if (asWritten) {
    await ok("image", "bootstrap", "debian");
    const images = ["mysql", "wordpress", "browser"];
    await Promise.all(images.map((name) => ok("build", "-t", `boxship-examples/${name}:1`, join(EXAMPLE, name))));
    return;
  }
  await ok("image", "bootstrap", "--from", PACKAGES, "boxship-examples/packages:1");
  const file = join(import.meta.dirname, "wordpress.Containerfile");
  for (const name of ["mysql", "wordpress"]) {
    await ok("build", "-f", file, "--target", name, "-t", `boxship-examples/${name}:1`, EXAMPLE);
  }
}

/** A picture of a page. */
async function screenshot(ok: Command, address: string): Promise<void> {
  mkdirSync(ARTIFACTS, { recursive: true });
  const shot = ["--no-sandbox", "--hide-scrollbars", "--window-size=1000,1000", "--screenshot=/shots/wordpress.png"];
  await ok("run", "--rm", "-v", `${ARTIFACTS}:/shots`, "boxship-examples/browser:1", ...shot, address);
  assert.ok(existsSync(join(ARTIFACTS, "wordpress.png")));
}

test("WordPress and its database: built, deployed, set up, kept, and taken away", {
  skip: whySkipped(),
  timeout: 900_000,
}, async (t) => {
  await using cluster = await startCluster();
  const { kube, field, engine } = cluster;
  const run = onSocket(engine.socketPath);
  const ok = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(args, { timeout: 600_000 });
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  let address = "";
  /** What a browser shows, as HTML; or what it would be sent. */
  const browse = async (path: string): Promise<string> => {
    if (!asWritten) return await (await fetch(`${address}${path}`)).text();
    return await ok("run", "--rm", "boxship-examples/browser:1", "--no-sandbox", "--dump-dom", `${address}${path}`);
  };

  await t.test("its images are built from the distribution's packages", { timeout: 600_000 }, () => buildImages(ok));

  await t.test("the setup page answers at the load balancer's address", { timeout: 600_000 }, async () => {
    await kube("apply", "-k", EXAMPLE);
    await ready(cluster);
    await kube("wait", "service/wordpress", "--for=jsonpath={.status.loadBalancer.ingress}", "--timeout=120s");
    address = `http://${await field("service/wordpress", "{.status.loadBalancer.ingress[0].ip}")}`;
    await answers(address);
    const page = await browse("/");
    assert.match(page, /<title>WordPress &rsaquo; Installation|<title>WordPress . Installation/);
    assert.match(page, /name="weblog_title"/);
    if (asWritten) await screenshot(ok, address);
  });

  await t.test("a post survives the deletion of both pods", { timeout: 600_000 }, async () => {
    const fields = { weblog_title: "A house", user_name: LOGIN.user, admin_email: "author@example.com" };
    const passwords = { admin_password: LOGIN.password, admin_password2: LOGIN.password, pw_weak: "on" };
    const done = await send(`${address}/wp-admin/install.php?step=2`, { ...fields, ...passwords, language: "" });
    assert.match(done, /Success!/);
    const id = await publish(address, "What was written before");
    const before = await kube("get", "pods", "-o", "name");
    await kube("delete", "pod", "-l", "app=wordpress", "--timeout=120s");
    await ready(cluster);
    const after = new Set((await kube("get", "pods", "-o", "name")).split("\n"));
    assert.ok(
      before
        .trim()
        .split("\n")
        .every((pod) => !after.has(pod)),
    );
    await answers(address);
    assert.match(await browse(`/?p=${id}`), /What was written before/);
  });

  await t.test(
    "nginx, PostgreSQL and Redis of the distribution",
    {
      skip: servicesAbsent(),
      timeout: 600_000,
    },
    (own) => packagedServices(own, cluster, ok),
  );

  await t.test("delete -k leaves nothing", { timeout: 600_000 }, async () => {
    await kube("delete", "-k", EXAMPLE, "--timeout=120s");
    await kube("wait", "pod", "--all", "--for=delete", "--timeout=120s");
    await kube("wait", "pv", "--all", "--for=delete", "--timeout=120s");
    const left = await kube("get", "all,secret,pvc,pv,endpointslice", "-o", "name");
    assert.deepEqual(left.trim().split("\n"), ["service/kubernetes", "endpointslice.discovery.k8s.io/kubernetes"]);
    assert.deepEqual(readdirSync(`${cluster.nodeDirectory}/pods`), []);
  });
});
