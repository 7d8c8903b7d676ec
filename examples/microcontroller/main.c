/*
 * Reads images from the file "images" of the machine that debugs or emulates this one, and writes for each to the file
 * "answers" its scores (float), its class (int32) and how many ticks of SysTick it took (uint32).
 *
 * Compiled with MODEL_HEADER, MODEL (the function), N_BYTES (of an image) and N_CLASSES. What crosses between the two
 * machines goes by semihosting: https://github.com/ARM-software/abi-aa/blob/main/semihosting/semihosting.rst
 */
#include MODEL_HEADER
#include <stdint.h>

enum { OPEN = 0x01, WRITE = 0x05, READ = 0x06, EXIT = 0x20 };
enum { READING = 1, WRITING = 5 }; /* "rb", "wb" */

static volatile uint32_t *const control = (uint32_t *)0xE000E010;
static volatile uint32_t *const reload = (uint32_t *)0xE000E014;
static volatile uint32_t *const current = (uint32_t *)0xE000E018;
static volatile uint32_t *const interrupts = (uint32_t *)0xE000ED04;
static volatile uint32_t n_wraps;

static int32_t ask_host(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;

    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

void finish(int code)
{
    const uint32_t arguments[] = {0x20026, (uint32_t)code}; /* the application ended by itself */

    for (;;) {
        ask_host(EXIT, arguments);
    }
}

static int32_t opened(const char *name, uint32_t length, uint32_t mode)
{
    const uint32_t arguments[] = {(uint32_t)name, mode, length};

    return ask_host(OPEN, arguments);
}

/* Both give the number of bytes that were not moved. */
static int32_t moved(uint32_t operation, int32_t file, const void *bytes, uint32_t n)
{
    const uint32_t arguments[] = {(uint32_t)file, (uint32_t)bytes, n};

    return ask_host(operation, arguments);
}

void systick_handler(void)
{
    n_wraps++;
}

/* It counts down from 2^24 - 1, at the clock of the processor; read anew for an interrupt, whenever that comes. */
static uint32_t ticks(void)
{
    uint32_t wraps, value;
    int pending;

    do {
        wraps = n_wraps;
        value = *current;
        pending = (*interrupts >> 26) & 1; /* it has wrapped, and has not been counted yet */
    } while (wraps != n_wraps || pending || value == 0); /* at 0 it may have been counted, and not begun again */
    return (wraps << 24) + (0xFFFFFF - value);
}

int main(void)
{
    static uint8_t image[N_BYTES];
    static struct {
        float scores[N_CLASSES];
        int32_t label;
        uint32_t ticks;
    } answer;
    const int32_t images = opened("images", 6, READING), answers = opened("answers", 7, WRITING);

    if (images < 0 || answers < 0) {
        return 1;
    }
    *reload = 0xFFFFFF;
    *current = 0;
    *control = 7; /* the processor's clock, an interrupt at 0, on */
    while (moved(READ, images, image, sizeof image) == 0) {
        const uint32_t before = ticks();
        answer.label = MODEL(image, answer.scores);
        answer.ticks = ticks() - before;
        if (moved(WRITE, answers, &answer, sizeof answer) != 0) {
            return 1;
        }
    }
    return 0;
}
