// Checks the pages in a browser; script/test-pages calls it with the address of the management API.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const url = process.argv[2];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
let findings = 0;

function report(...words) {
  findings += 1;
  console.log(...words);
}

/** The paths of all pages that are linked from the overview. */
async function allPages(page) {
  const found = new Set(["/docs", "/docs/search?q=quota", "/docs/nothing"]);
  for (const path of found) {
    const answer = await page.goto(url + path);
    if (!answer.headers()["content-type"].startsWith("text/html")) continue;
    const links = await page.locator("a[href^='/docs']").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
    for (const link of links) if (!link.includes(".md") && !link.includes("/search")) found.add(link.split("#")[0]);
  }
  return [...found];
}

async function check(page, path, name) {
  await page.goto(url + path);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) report(`${name} ${path}: scrolls sideways by ${over} px`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate((values) => axe.run(document, { runOnly: values }), rules);
  for (const { id, nodes } of violations) report(`${name} ${path}: ${id} at`, nodes.slice(0, 3).map((n) => n.target.join(" ")));
}

/** `/`, a word, and Enter lead to a result. */
async function searchWithKeys(page) {
  await page.goto(`${url}/docs`);
  await page.keyboard.press("/");
  await page.keyboard.type("BACKUP_LEASE");
  await page.locator("#found [role=option]").first().waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/docs/settings#backup_lease").catch(() => report(`the search with keys ended at ${page.url()}`));
}

/** Enter right after the last letter never leads to a result of a part of the word. */
async function searchInAHurry(page) {
  await page.goto(`${url}/docs`);
  await page.keyboard.press("/");
  await page.keyboard.type("4");
  await page.locator("#found [role=option]").first().waitFor();
  await page.keyboard.type("13\n");
  const results = /\/docs\/(search\?q=413|limits#what-is-limited)$/;
  await page.waitForURL(results).catch(() => report(`a search in a hurry ended at ${page.url()}`));
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390, 320]) {
    // The policy of the pages would refuse axe-core.
    const context = await browser.newContext({
      viewport: { width, height: 844 }, colorScheme, reducedMotion: "reduce", bypassCSP: true,
    });
    const page = await context.newPage();
    page.on("pageerror", (error) => report(`${page.url()}: ${error.message}`));
    const name = `${width} px, ${colorScheme}`;
    const paths = await allPages(page);
    console.log(`${name}: ${paths.length} pages`);
    for (const path of paths) await check(page, path, name);
    await searchWithKeys(page);
    await searchInAHurry(page);
    await context.close();
  }
}
await browser.close();
console.log(findings ? `${findings} findings` : "No findings.");
process.exitCode = findings ? 1 : 0;
