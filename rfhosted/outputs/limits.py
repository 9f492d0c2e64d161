"""What is taken from one response at most: far more than any real model outputs.

A response above a limit is shown in part, with a note that says so, or refused. Memory and time
then depend on the size of the response alone, never on a number inside it.
"""

#: Characters of a text from a server: class names, messages.
LONGEST_TEXT = 1_000
#: Characters of a name within a sentence, such as a summary or a note.
LONGEST_NAME = 80
#: Detections, the first ones of the response.
MOST_DETECTIONS = 10_000
#: Classes of a ranking, the best ones.
MOST_SCORES = 100_000
#: Slots of a skeleton, and keypoints of one detection.
MOST_KEYPOINTS = 1_000
#: Slots of the skeletons of all detections: their keypoints are arrays of that size.
MOST_SLOTS = 2_000_000
#: Pixels from the image's left top corner to a coordinate.
FARTHEST_COORDINATE = 1e7
#: Pixels of an image's side that a response reports.
LONGEST_SIDE = 100_000
#: Class ids from here on are not ids. Those of a class map are pixel values and fit a byte.
LARGEST_CLASS_ID = 2**31
#: Pixels of a mask's grid that is larger than the image: a model of small images may have one.
LARGEST_OWN_GRID = 2**22
#: Runs of a mask, or characters of its text.
MOST_RUNS = 1_000_000
#: All masks of a response together, each counted in its own bounds: times that they cover the
#: image, and pixels.
MOST_MASK_COVER, MOST_MASK_PIXELS = 300, 2**31
#: Work of filling all outlines of a response: of each, the square of the rows that its sides
#: cross, per row. One that crosses itself everywhere is not an outline, and takes minutes.
MOST_OUTLINE_WORK = 5e8
#: Seconds that a server may report: a day.
LONGEST_TIME = 86_400.0
#: Objects, and keypoints of all of them, that are drawn on one image: those of the highest
#: confidence.
MOST_DRAWN_OBJECTS, MOST_DRAWN_KEYPOINTS = 5_000, 100_000
#: Bytes of a response, decompressed. The largest real ones are maps of 50 megapixels with their
#: confidences: some 20 MB.
LARGEST_RESPONSE = 40_000_000
#: Lists and objects in the JSON of a response; twice as many commas.
MOST_JSON_CONTAINERS = 1_000_000
#: Lists and objects within each other. Real responses have six.
DEEPEST_JSON = 100
#: Bytes of an error response that are read: the message stands at its start.
LARGEST_ERROR_PAGE = 100_000
#: Bytes of a response that was not understood and is kept for the user.
LARGEST_KEPT_TEXT = 1_000_000
#: Bytes of an image behind a URL.
LARGEST_DOWNLOAD = 100_000_000
#: URLs after one another that an image's URL may lead to.
MOST_REDIRECTS = 10
