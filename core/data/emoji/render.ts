import sharp from "sharp";
import { SpinError } from "../../errors.js";
import type { RgbImage } from "../image.js";
import type { EmojiStyle } from "./captions.js";
import { loadIcons } from "./icons.js";

/** Width and height of the built-in data's pictures, in pixels. */
export const EMOJI_SIZE = 64;

/**
 * The part of each style's canvas that is shown, so that both fill the picture alike: Noto leaves 4 of its 128 units
 * free on each side, Fluent 2 of its 32, of which one is cut off.
 */
const VIEW_BOX: Readonly<Record<EmojiStyle, string>> = { fluent: "1 1 30 30", noto: "0 0 128 128" };

const rendered = new Map<string, Promise<RgbImage>>();

/** Drawings begun at a time: sharp has four threads, and beginning a thousand at once would hold up the event loop. */
const lanes: Promise<unknown>[] = Array.from({ length: 4 }, () => Promise.resolve());
let nextLane = 0;

/**
 * The complete SVG document of an icon, transparent, 64×64.
 * @throws SpinError `notFound` where the built-in data have no such icon in this style.
 */
export async function emojiSvg(style: EmojiStyle, icon: string): Promise<string> {
  const body = (await loadIcons(style)).get(icon);
  if (body === undefined) throw new SpinError("notFound", `the built-in data have no ${style} icon "${icon}"`);
  const size = `width="${EMOJI_SIZE}" height="${EMOJI_SIZE}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="${VIEW_BOX[style]}">${body}</svg>`;
}

/** An icon on white, 64×64. Drawn once per process (12 KB each), in sharp's threads. */
export async function renderEmoji(style: EmojiStyle, icon: string): Promise<RgbImage> {
  const key = `${style}/${icon}`;
  let image = rendered.get(key);
  if (image === undefined) {
    const lane = nextLane++ % lanes.length;
    image = (lanes[lane] as Promise<unknown>).then(() => draw(style, icon));
    rendered.set(key, image);
    lanes[lane] = image.catch(() => rendered.delete(key));
  }
  return image;
}

async function draw(style: EmojiStyle, icon: string): Promise<RgbImage> {
  const svg = await emojiSvg(style, icon);
  const data = await sharp(Buffer.from(svg)).flatten({ background: "white" }).removeAlpha().raw().toBuffer();
  return { width: EMOJI_SIZE, height: EMOJI_SIZE, data };
}
