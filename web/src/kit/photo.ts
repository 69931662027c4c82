/** Photos made small on the phone itself: quicker to send, and without the camera's hidden data. */

const SIDE_PX_MAX = 1600 // a street sign stays readable; about 300 kB as JPEG
const QUALITY = 0.82

async function draw(file: Blob): Promise<HTMLCanvasElement> {
  // `from-image` turns the picture upright before its orientation mark is lost.
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' })
  const scale = Math.min(1, SIDE_PX_MAX / Math.max(bitmap.width, bitmap.height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.round(bitmap.width * scale)
  canvas.height = Math.round(bitmap.height * scale)
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  bitmap.close()
  return canvas
}

/** A JPEG of at most 1600 px a side. Raises where the file is no picture this browser can read. */
export async function shrinkPhoto(file: Blob): Promise<Blob> {
  const canvas = await draw(file)
  return new Promise((keep, refuse) =>
    canvas.toBlob(
      (blob) => (blob ? keep(blob) : refuse(new Error('the picture could not be drawn'))),
      'image/jpeg',
      QUALITY,
    ),
  )
}
